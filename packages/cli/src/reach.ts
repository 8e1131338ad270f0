import type { Vault } from 'athkit/agent'
import { certificatesIn, type Fetch, fetchOver } from './fetch.ts'
import { NoSession, Usage } from './trouble.ts'

/** How a service is reached, as the one who connected to it said. */
interface Reach {
  /** PEM; the platform’s authorities without it. */
  readonly ca?: string
}

/** Remembers it beside the session that is kept, so that ath request takes no more than the request. */
export async function rememberReach(vault: Vault, origin: string, caFile: string | undefined): Promise<void> {
  const reach: Reach = caFile === undefined ? {} : { ca: certificatesIn(caFile) }
  await vault.update('reach', origin, () => ({ ...reach }))
}

export const forgetReach = (vault: Vault, origin: string): Promise<void> =>
  vault.update('reach', origin, () => undefined)

/** @param caFile goes before what is remembered */
export async function fetchTo(vault: Vault, origin: string, caFile: string | undefined): Promise<Fetch> {
  if (caFile !== undefined) return fetchOver(certificatesIn(caFile))
  const reach = (await vault.entries('reach')).get(origin) as Reach | undefined
  return fetchOver(reach?.ca)
}

/**
 * The service whose session is meant: the one named, or the only one that is kept.
 *
 * @throws NoSession where none is kept; Usage where there are several
 */
export async function keptOrigin(vault: Vault, named: string | undefined): Promise<string> {
  if (named !== undefined) return named
  const [first, ...more] = (await vault.entries('session')).keys()
  if (first === undefined) throw new NoSession('no session is kept in the vault')
  if (more.length === 0) return first
  throw new Usage(
    `sessions with several services are kept: say which with --at: ${[first, ...more].join(', ')}`,
  )
}
