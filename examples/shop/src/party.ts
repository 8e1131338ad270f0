import type { Resolver } from 'athkit/did'
import { type Identity, identityIn, registered } from './identity.ts'
import { registryOf, resolverOf } from './resolver.ts'

export interface PartyOptions {
  /** The file of its key; a key for this run only without it. */
  readonly identity?: string | undefined
  readonly did?: string | undefined
  readonly registry?: string | undefined
}

/** Who a process of the example is, under the name that it registers, and how it finds the keys of the others. */
export async function partyOf(
  options: PartyOptions,
): Promise<{ readonly identity: Identity; readonly resolver: Resolver }> {
  const from = { registry: options.registry, registryCa: undefined }
  const registry = registryOf(from)
  const own = await identityIn(options.identity)
  const { did } = options
  return {
    identity: did === undefined || registry === undefined ? own : await registered(own, did, registry),
    resolver: resolverOf({ ...from, resolveLoopback: false }),
  }
}
