export * from '../net/time.ts'
