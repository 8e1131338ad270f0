import { type DidDocument, parseDid } from 'athkit/did'
import { createNodeResolver } from 'athkit/did-node'
import { refuse } from 'athkit/errors'
import type { Command } from 'commander'
import { didIn } from '../arguments.ts'
import { authoritiesWith } from '../loopback/authorities.ts'
import { run } from '../outcome.ts'
import { registryAt, registryPlace } from '../registry-place.ts'
import { vaultAtHand } from '../vault.ts'
import { withRegistryOptions } from './own.ts'

interface ResolveOptions {
  readonly registry?: string
  readonly ca?: string
  readonly resolveLoopback?: true
  readonly json?: true
}

export function resolveCommand(did: Command): void {
  withRegistryOptions(did.command('resolve <did>'))
    .description('look a DID up, its whole history verified where it has one')
    .option('--resolve-loopback', 'for development: did:web may lead to this machine')
    .action((text: string, options: ResolveOptions) =>
      run(options.json === true, () => resolve(didIn(text), options), inWords),
    )
}

interface Resolved {
  readonly ok: true
  readonly did: string
  readonly deactivated: boolean
  readonly document: DidDocument | null
  /** Of a named DID: its last operation. */
  readonly seq?: number
  readonly head?: string
}

async function resolve(did: string, options: ResolveOptions): Promise<Resolved> {
  const vault = await vaultAtHand()
  if (parseDid(did).form === 'named') {
    const { client } = await registryAt(vault, options)
    const state = await client.state(did)
    if (state === undefined) throw refuse('identity_unknown', `${did} is not registered there`)
    const { seq, head, deactivated, document } = state
    return { ok: true, did, deactivated, document, seq, head }
  }
  const place = await registryPlace(vault, options)
  const { document, deactivated = false } = await createNodeResolver({
    ...(options.resolveLoopback === true ? { resolveLoopback: true, ca: authoritiesWith(place?.ca) } : {}),
    onWarning: (message) => console.error(`ath: ${message}`),
  }).resolve(did)
  return { ok: true, did, deactivated, document }
}

const inWords = ({ did, deactivated, document }: Resolved): string =>
  deactivated ? `${did} is deactivated.` : JSON.stringify(document, null, 2)
