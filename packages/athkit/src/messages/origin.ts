export * from '../net/origin.ts'
