/**
 * Step 1 · the agent says who it claims to be, what it can do, and gives a nonce for the service to sign (ATH-6.1.1).
 */
import * as v from 'valibot'
import type { SignatureAlgorithm } from '../crypto/algorithms.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { type PublicKey, publicKeyFromPem, sameKey, toPem } from '../crypto/keys.ts'
import { keysOf } from '../did/document.ts'
import type { Resolution } from '../did/resolver.ts'
import { refuse } from '../errors.ts'
import { checkNonceForm, commitsTo, createNonce, isCommitted } from './nonce.ts'
import { checkTimestamp, type Identity, shaped, strings, time, without } from './shape.ts'

export const HandshakeRequest = v.object({
  type: v.literal('handshake_request'),
  client_did: v.string(),
  client_pubkey: v.string(),
  versions: strings,
  capabilities: strings,
  nonce: v.string(),
  timestamp: time,
})
export type HandshakeRequest = v.InferOutput<typeof HandshakeRequest> & JsonObject

/** The protocol versions spoken here, and what can be listed in `capabilities` (ATH-2), in order of preference. */
export const VERSIONS: readonly string[] = ['0.1']
export const CAPABILITIES: readonly string[] = [
  'ES256',
  'EdDSA',
  'TLS1.3',
  'ECDH-X25519',
  'CHACHA20-POLY1305',
]

export interface HandshakeRequestOptions {
  readonly client: Identity
  /** The origin that is being dialled: the nonce commits to it (ATH-6.1.1). */
  readonly audience: string
  readonly capabilities?: readonly string[]
  /** Unix seconds. */
  readonly now: number
  /** 16 bytes. */
  readonly random: Uint8Array
}

export async function createHandshakeRequest(options: HandshakeRequestOptions): Promise<HandshakeRequest> {
  const { client, audience, now, random } = options
  const message = {
    type: 'handshake_request',
    client_did: client.did,
    client_pubkey: toPem(client.signer.publicKey),
    versions: [...VERSIONS],
    capabilities: [...(options.capabilities ?? CAPABILITIES)],
    timestamp: now,
  } as const
  return { ...message, nonce: await createNonce('client', { audience, message }, random) }
}

export interface ReceivedHandshakeRequest {
  readonly request: HandshakeRequest
  /** The one of the service's origins that the client dialled; the first for a plain nonce. */
  readonly audience: string
  /** Whether the nonce commits to the message and the audience; a plain one is a literal implementation's (ATH-6.1.2). */
  readonly committed: boolean
}

/**
 * The service's checks before it spends anything on the client: shape, skew, the form of the nonce, and what it commits to.
 *
 * @param origins of the service, by configuration (ATH-3.1), the first one counting for plain nonces
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `nonce_mismatch`
 */
export async function receiveHandshakeRequest(
  message: Json,
  { origins, now }: { readonly origins: readonly string[]; readonly now: number },
): Promise<ReceivedHandshakeRequest> {
  const request: HandshakeRequest = shaped(HandshakeRequest, message, 'm1')
  checkTimestamp(request.timestamp, now, 'm1')
  checkNonceForm(request.nonce, 'm1')
  const [first] = origins
  if (first === undefined) throw new TypeError('a service has at least one origin')
  if (!isCommitted(request.nonce)) return { request, audience: first, committed: false }
  const bare = without(request, 'nonce')
  for (const audience of origins) {
    if (await commitsTo(request.nonce, 'client', { audience, message: bare }))
      return { request, audience, committed: true }
  }
  throw refuse('nonce_mismatch', 'the nonce commits to no origin of this service', {
    rule: 'ATH-6.1.2',
    step: 'm1',
  })
}

export interface Negotiated {
  readonly version: string
  readonly capabilities: readonly string[]
}

/**
 * The highest common version and the intersection of capabilities, in the service's order of preference (ATH-2.1).
 *
 * @throws HandshakeError `no_common_version`, `no_common_capability`
 */
export function negotiate(
  request: HandshakeRequest,
  server: {
    readonly versions?: readonly string[]
    readonly capabilities?: readonly string[]
    readonly keys: readonly SignatureAlgorithm[]
  },
): Negotiated {
  const [version] = (server.versions ?? VERSIONS)
    .filter((candidate) => request.versions.includes(candidate))
    .sort((a, b) => compareVersions(b, a))
  if (version === undefined)
    throw refuse('no_common_version', 'no version in common', { rule: 'ATH-2.1', step: 'm1' })
  const capabilities = (server.capabilities ?? CAPABILITIES).filter((name) =>
    request.capabilities.includes(name),
  )
  checkCapabilities(capabilities, server.keys, 'm1')
  return { version, capabilities }
}

/** A set of capabilities is usable when it holds TLS1.3 and the signature algorithms of both parties' keys (ATH-2.1). */
export function checkCapabilities(
  capabilities: readonly string[],
  keys: readonly SignatureAlgorithm[],
  step: string,
): void {
  for (const needed of ['TLS1.3', ...keys]) {
    if (!capabilities.includes(needed)) {
      throw refuse('no_common_capability', `${needed} is not in common`, { rule: 'ATH-2.1', step })
    }
  }
}

/**
 * The key that the client presents must be one of the `authentication` keys of its resolved document (ATH-4.3).
 *
 * @throws HandshakeError `identity_revoked`, `key_mismatch`
 */
export async function verifyPresentedKey(
  key: PublicKey,
  resolution: Resolution,
  step: string,
): Promise<void> {
  if (resolution.deactivated === true)
    throw refuse('identity_revoked', 'the DID is deactivated', { rule: 'ATH-4.3', step })
  const keys = await keysOf(resolution.document, 'authentication')
  if (keys.some((candidate) => sameKey(candidate, key))) return
  throw refuse('key_mismatch', 'the key presented is not in the DID document', { rule: 'ATH-4.3', step })
}

/** The key in m1, by itself. @throws HandshakeError `malformed_message` (ATH-1.4) */
export const clientKeyOf = (request: HandshakeRequest): Promise<PublicKey> =>
  publicKeyFromPem(request.client_pubkey)

function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
