export * from './access-token.ts'
export * from './renewal.ts'
export * from './restrictions.ts'
