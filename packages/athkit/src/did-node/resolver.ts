import { createResolver, type Resolver, type ResolverOptions } from '../did/resolver.ts'
import { webMethod } from '../did/web.ts'
import { type GuardedFetchOptions, guardedFetch } from './guarded-fetch.ts'

export interface NodeResolverOptions extends ResolverOptions, GuardedFetchOptions {}

/**
 * The resolver of a service: both forms of `did:ath` (named ones where a `registry` is given), `did:key`, and `did:web` over
 * {@link guardedFetch}; other methods by `methods`, which come before.
 */
export function createNodeResolver(options: NodeResolverOptions = {}): Resolver {
  const web = webMethod({ fetch: guardedFetch(options), ...(options.now && { now: options.now }) })
  return createResolver({ ...options, methods: new Map([['web', web], ...(options.methods ?? [])]) })
}
