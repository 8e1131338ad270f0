import type { Vault } from 'athkit/agent'
import type { Resolver } from 'athkit/did'
import { createNodeResolver } from 'athkit/did-node'
import { type Command, Option } from 'commander'
import { registryIn } from './arguments.ts'
import { authoritiesWith } from './loopback/authorities.ts'
import { clientAt, registryPlace, rememberPlace } from './registry-place.ts'

/** How DIDs of others are found, as commands are told that talk to them. */
export interface ResolvingOptions {
  readonly registry?: string
  readonly registryCa?: string
  readonly resolveLoopback?: true
}

export const withResolving = (command: Command): Command =>
  command
    .addOption(
      new Option('--registry <url>', 'of named DIDs; without it, the one that the vault knows').argParser(
        registryIn,
      ),
    )
    .option('--registry-ca <file>', 'certificates of the authorities to trust for it, PEM')
    .option('--resolve-loopback', 'for development: did:web may lead to this machine')

/** Both forms of did:ath, did:key, did:web. What was seen of histories is kept in the vault, and so is the first registry that is named. */
export async function resolverFor(vault: Vault, options: ResolvingOptions = {}): Promise<Resolver> {
  const place = await registryPlace(vault, { registry: options.registry, ca: options.registryCa })
  if (place !== undefined) await rememberPlace(vault, place)
  return createNodeResolver({
    ...(place === undefined ? {} : { registry: clientAt(vault, place) }),
    ...(options.resolveLoopback === true ? { resolveLoopback: true, ca: authoritiesWith(place?.ca) } : {}),
    onWarning: (message) => console.error(`ath: ${message}`),
  })
}
