import { isObject } from '../crypto/shape.ts'
import { parseDid } from '../did/did.ts'
import { AthError, HandshakeError } from '../errors.ts'
import type { AgentContext } from './context.ts'
import type { Established } from './established.ts'
import type { ConnectOptions } from './options.ts'
import { findCredential } from './stored-credentials.ts'
import type { Vault } from './vault.ts'

/** A wish whose credential has been found. */
export type Wish = ConnectOptions & {
  readonly authorization: NonNullable<ConnectOptions['authorization']>
  /** Nobody is to be asked, and nothing kept (ATH-7.11). */
  readonly silent?: true
}

export interface Prepared {
  /** With what the vault knows of this origin. */
  readonly agent: AgentContext
  readonly wish: Wish
  /** The server that was there the first time. */
  readonly knownServer: string | undefined
}

/**
 * Completes a wish from the vault: the user's credential where the caller gives none, the server where it was taken at its word
 * before (ATH-6.1.5). One that is known is not taken at its word again.
 *
 * @throws AthError `credential_missing`; TypeError without a vault to look in
 */
export async function prepare(agent: AgentContext, origin: string, wish: ConnectOptions): Promise<Prepared> {
  const { vault } = agent
  const known = vault === undefined ? undefined : await serverAt(vault, origin)
  const knownServer = known?.did
  const authorization = wish.authorization ?? (await fromVault(agent, origin, wish, knownServer))
  // One that was pinned is the one, whatever else would vouch for another.
  const pinned = known?.isPinned === true && wish.serverDid === undefined ? { serverDid: known.did } : {}
  const prepared = { ...wish, ...pinned, authorization }
  if (knownServer === undefined) return { agent, wish: prepared, knownServer }
  // Where there is a pin, nobody is taken at their word.
  const pins = [...agent.pins, knownServer]
  return { agent: { ...agent, pins }, wish: prepared, knownServer }
}

async function fromVault(
  { vault, identity, now }: AgentContext,
  origin: string,
  { scopes, serverDid }: ConnectOptions,
  knownServer: string | undefined,
) {
  if (vault === undefined) throw new TypeError('authorization: the user’s credential, or a vault that has it')
  const names = [origin, serverDid, knownServer].filter((name) => name !== undefined)
  const credential = await findCredential(vault, {
    clientDid: identity.did,
    serverNames: names,
    scopes: typeof scopes === 'function' ? [] : scopes,
    now: now(),
  })
  if (credential !== undefined) return credential
  throw new AthError(
    'credential_missing',
    `the vault has no credential for this at ${origin}; ask the user for one`,
  )
}

interface KnownServer {
  readonly did: string
  readonly isPinned: boolean
}

async function serverAt(vault: Vault, origin: string): Promise<KnownServer | undefined> {
  const entry = (await vault.entries('server')).get(origin)
  if (typeof entry === 'string') return { did: entry, isPinned: false }
  const { pinned } = isObject(entry) ? entry : {}
  return typeof pinned === 'string' ? { did: pinned, isPinned: true } : undefined
}

/**
 * The server at this address is this DID, and no other, from now on: another one is `server_changed`, whatever vouches for it.
 *
 * @throws HandshakeError `malformed_message` when it is no DID
 */
export async function pinServer(vault: Vault, url: string | URL, did: string): Promise<void> {
  parseDid(did)
  await vault.update('server', new URL(url).origin, () => ({ pinned: did }))
}

/** A server that was taken at its word is the one that is meant from now on. */
export async function rememberServer(
  { vault }: AgentContext,
  { audience, anchored, messages }: Established,
): Promise<void> {
  if (vault === undefined || anchored !== 'first-use') return
  const { server_did: did } = messages.m2
  await vault.update('server', audience, (before) => before ?? did)
}

/** After a server has become another one for a reason: what was known or pinned at this address is known no more. */
export async function forgetServer(vault: Vault, origin: string): Promise<void> {
  await vault.update('server', new URL(origin).origin, () => undefined)
}

/** The refusal of a server that nothing vouches for, where another was known before. */
export function toldApart(error: unknown, origin: string, knownServer: string | undefined): unknown {
  const isUnknown =
    error instanceof HandshakeError && error.error === 'identity_unknown' && error.rule === 'ATH-6.1.5'
  if (knownServer === undefined || !isUnknown) return error
  return new AthError(
    'server_changed',
    `${origin} was ${knownServer} and answers as another server: somebody may be in between. If it has changed for a reason, forgetServer() and connect again.`,
    { rule: 'ATH-6.1.5', cause: error },
  )
}
