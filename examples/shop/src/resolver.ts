import { readFileSync } from 'node:fs'
import { authoritiesWith, type Fetch, fetchOver } from '@athkit/cli/loopback'
import { type Pins, type Resolver, registryResolver } from 'athkit/did'
import { createNodeResolver } from 'athkit/did-node'

/** How DIDs of others are found. */
export interface Resolving {
  readonly registry: string | undefined
  /** PEM file of the authorities to trust for it. */
  readonly registryCa: string | undefined
  /** A weakening, for development: `did:web` may lead to this machine. */
  readonly resolveLoopback: boolean
}

type Registry = Pick<Resolving, 'registry' | 'registryCa'>

/** Its address, and a `fetch` that trusts its authority; undefined where there is none. */
export const registryOf = ({
  registry: url,
  registryCa,
}: Registry): { url: string; fetch: Fetch } | undefined =>
  url === undefined ? undefined : { url, fetch: fetchOver(authorityIn(registryCa)) }

/** @param pins what was seen of histories; forgotten with the process without it */
export function resolverOf({ resolveLoopback, ...from }: Resolving, pins?: Pins): Resolver {
  const registry = registryOf(from)
  const ca = authoritiesWith(authorityIn(from.registryCa))
  const onWarning = (message: string) => console.error(message)
  return createNodeResolver({
    ...(registry === undefined ? {} : { registry: registryResolver({ ...registry, ...(pins && { pins }) }) }),
    ...(resolveLoopback ? { resolveLoopback, ca, onWarning } : {}),
  })
}

const authorityIn = (file: string | undefined): string | undefined =>
  file === undefined ? undefined : readFileSync(file, 'utf8')
