export type { Lookup } from './dial.ts'
export { type GuardedFetchOptions, guardedFetch } from './guarded-fetch.ts'
export { createNodeResolver, type NodeResolverOptions } from './resolver.ts'
