export * from '../crypto/shape.ts'
