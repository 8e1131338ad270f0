/**
 * Step 2 · the service says who it claims to be, signs the agent's nonce and gives its own (ATH-6.1.1, ATH-6.1.3).
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import { type PublicKey, publicKeyFromPem, toPem } from '../crypto/keys.ts'
import { signText, verifyText } from '../crypto/signature.ts'
import type { Resolution, Resolver } from '../did/resolver.ts'
import { refuse } from '../errors.ts'
import {
  checkCapabilities,
  clientKeyOf,
  type HandshakeRequest,
  type Negotiated,
  verifyPresentedKey,
} from './1-handshake-request.ts'
import { type Anchor, anchor } from './anchoring.ts'
import { checkNonceForm, createNonce, isCommitted, type LiteralPeer, verifyCommitment } from './nonce.ts'
import { checkTimestamp, type Identity, shaped, signature, strings, time, without } from './shape.ts'

export const HandshakeResponse = v.object({
  type: v.literal('handshake_response'),
  server_did: v.string(),
  server_pubkey: v.string(),
  version: v.string(),
  capabilities: strings,
  nonce: v.string(),
  signature,
  timestamp: time,
})
export type HandshakeResponse = v.InferOutput<typeof HandshakeResponse> & JsonObject

export interface HandshakeResponseOptions {
  readonly server: Identity
  readonly request: HandshakeRequest
  readonly audience: string
  readonly negotiated: Negotiated
  /** Unix seconds. */
  readonly now: number
  /** 16 bytes. */
  readonly random: Uint8Array
}

export async function createHandshakeResponse(options: HandshakeResponseOptions): Promise<HandshakeResponse> {
  const { server, request, audience, negotiated, now, random } = options
  checkNonceForm(request.nonce, 'm1') // ATH-5.4: a nonce outside its form is refused unsigned
  const message = {
    type: 'handshake_response',
    server_did: server.did,
    server_pubkey: toPem(server.signer.publicKey),
    version: negotiated.version,
    capabilities: [...negotiated.capabilities],
    signature: await signText(server.signer, request.nonce),
    timestamp: now,
  } as const
  return { ...message, nonce: await createNonce('server', { audience, request, message }, random) }
}

/** The client's checks of m2 by name, in the order of ATH-6.1.5, which is the order in which they are made. */
export const SERVER_CHECKS = [
  { name: 'shape', rule: 'ATH-1.1' },
  { name: 'timestamp within 300 s', rule: 'ATH-6' },
  { name: 'version and capabilities', rule: 'ATH-2.1' },
  { name: 'DID resolves to the key', rule: 'ATH-4.3' },
  { name: 'server is anchored', rule: 'ATH-6.1.5' },
  { name: 'signature over our nonce', rule: 'ATH-6.1.3' },
  { name: 'its nonce commits to us', rule: 'ATH-6.1.2' },
] as const
export type ServerCheck = (typeof SERVER_CHECKS)[number]['name']

export interface ServerExpectation {
  readonly request: HandshakeRequest
  /** The origin that was dialled. */
  readonly audience: string
  /** Unix seconds. */
  readonly now: number
  readonly resolver: Resolver
  readonly pins: readonly string[]
  /** `aud` of the credential that will be shown in m5. */
  readonly credentialAudience?: readonly string[]
  readonly literalPeers?: readonly LiteralPeer[]
  /** Take an unknown server at its word this once. A weakening: see ATH-6.1.5. */
  readonly trustOnFirstUse?: boolean
  /** Is told of each check that has passed, as it passes: the one behind the last of them is the one that failed. */
  readonly onCheck?: (passed: ServerCheck) => void
}

export interface VerifiedServer {
  readonly response: HandshakeResponse
  readonly serverKey: PublicKey
  readonly resolution: Resolution
  readonly anchored: Anchor
}

/**
 * The client's checks of m2: {@link SERVER_CHECKS}, in their order. It signs nothing before all of them have passed; the server is proven
 * only at m9b.
 *
 * @throws HandshakeError by the name of the check; `identity_unknown` where the server is not anchored
 */
export async function verifyHandshakeResponse(
  message: Json,
  expected: ServerExpectation,
): Promise<VerifiedServer> {
  const { onCheck: passed = () => undefined } = expected
  const response: HandshakeResponse = shaped(HandshakeResponse, message, 'm2')
  checkNonceForm(response.nonce, 'm2')
  const serverKey = await publicKeyFromPem(response.server_pubkey)
  passed('shape')

  checkTimestamp(response.timestamp, expected.now, 'm2')
  passed('timestamp within 300 s')

  await checkNegotiated(response, expected.request, serverKey)
  passed('version and capabilities')

  const resolution = await expected.resolver.resolve(response.server_did)
  await verifyPresentedKey(serverKey, resolution, 'm2')
  passed('DID resolves to the key')

  const anchored = anchorOf(response, resolution, expected)
  passed('server is anchored')

  await verifyText(serverKey, expected.request.nonce, response.signature)
  passed('signature over our nonce')

  await checkServerNonce(response, expected)
  passed('its nonce commits to us')
  return { response, serverKey, resolution, anchored }
}

async function checkNegotiated(response: HandshakeResponse, request: HandshakeRequest, serverKey: PublicKey) {
  if (!request.versions.includes(response.version)) {
    throw refuse('no_common_version', 'the server names a version that was not offered', {
      rule: 'ATH-2.1',
      step: 'm2',
    })
  }
  if (!response.capabilities.every((name) => request.capabilities.includes(name))) {
    throw refuse('no_common_capability', 'the server lists what was not offered', {
      rule: 'ATH-2.1',
      step: 'm2',
    })
  }
  checkCapabilities(response.capabilities, [(await clientKeyOf(request)).alg, serverKey.alg], 'm2')
}

function anchorOf(response: HandshakeResponse, resolution: Resolution, expected: ServerExpectation): Anchor {
  const anchored = anchor({
    serverDid: response.server_did,
    audience: expected.audience,
    pins: expected.pins,
    credentialAudience: expected.credentialAudience ?? [],
    document: resolution.document,
    verifying: resolution.registry?.verifiesOrigins === true,
  })
  if (anchored !== false) return anchored
  if (expected.trustOnFirstUse === true && expected.pins.length === 0) return 'first-use'
  throw refuse('identity_unknown', 'nothing says that this DID is the server that was dialled', {
    rule: 'ATH-6.1.5',
    step: 'm2',
  })
}

/**
 * Whether the server's nonce may be signed: it commits to who was dialled and what was said, or is a literal peer's (ATH-6.1.2).
 *
 * @throws HandshakeError `nonce_mismatch`
 */
export async function checkServerNonce(
  response: HandshakeResponse,
  expected: Pick<ServerExpectation, 'audience' | 'request' | 'literalPeers'>,
): Promise<void> {
  const { audience, request, literalPeers = [] } = expected
  if (isCommitted(response.nonce)) {
    const message = without(response, 'nonce')
    return verifyCommitment(response.nonce, 'server', { audience, request, message }, 'm2')
  }
  if (literalPeers.some((peer) => peer.origin === audience && peer.did === response.server_did)) return
  throw refuse('nonce_mismatch', 'the server sends a plain nonce: to sign it is to lend a signature', {
    rule: 'ATH-6.1.2',
    step: 'm2',
  })
}
