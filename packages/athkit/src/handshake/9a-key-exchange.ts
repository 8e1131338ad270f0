/**
 * Step 9a · the agent sends its ephemeral share, signed (ATH-6.5.1).
 */
import * as v from 'valibot'
import {
  CIPHER_SUITES,
  type CipherSuite,
  KEY_EXCHANGES,
  type KeyExchangeAlgorithm,
} from '../crypto/algorithms.ts'
import type { EphemeralShare } from '../crypto/ecdh.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { signLabelled, verifyLabelled } from '../crypto/signature.ts'
import { refuse } from '../errors.ts'
import { checkTimestamp, type Identity, shaped, signature, time } from './shape.ts'
import { keyExchangeInput } from './transcript.ts'

export const KEY_EXCHANGE_LABEL = 'key_exchange'

export const KeyExchange = v.object({
  type: v.literal('key_exchange'),
  key_exchange_alg: v.string(),
  key_exchange_params: v.string(),
  cipher_suite: v.string(),
  signature,
  timestamp: time,
})
export type KeyExchange = v.InferOutput<typeof KeyExchange> & JsonObject

export interface KeyExchangeOptions {
  readonly client: Identity
  readonly audience: string
  /** `hs`. */
  readonly handshakeHash: string
  /** H(m5). */
  readonly scopeRequestHash: string
  readonly share: EphemeralShare
  readonly cipherSuite: CipherSuite
  /** Unix seconds. */
  readonly now: number
}

export async function createKeyExchange(options: KeyExchangeOptions): Promise<KeyExchange> {
  const { client, audience, handshakeHash, scopeRequestHash, share, cipherSuite, now } = options
  const message = {
    type: 'key_exchange',
    key_exchange_alg: share.alg,
    key_exchange_params: share.params,
    cipher_suite: cipherSuite,
    timestamp: now,
  } as const
  const input = keyExchangeInput(message, audience, handshakeHash, scopeRequestHash)
  return { ...message, signature: await signLabelled(client.signer, KEY_EXCHANGE_LABEL, input) }
}

export interface KeyExchangeExpectation {
  readonly clientKey: PublicKey
  readonly audience: string
  readonly handshakeHash: string
  readonly scopeRequestHash: string
  /** `capabilities` of m2. */
  readonly capabilities: readonly string[]
  readonly now: number
}

export interface VerifiedKeyExchange {
  readonly message: KeyExchange
  readonly alg: KeyExchangeAlgorithm
  readonly cipherSuite: CipherSuite
}

/** The shape and the clock, before any cryptography. @throws HandshakeError `malformed_message`, `timestamp_skew` */
export function receiveKeyExchange(message: Json, now: number): KeyExchange {
  const exchange: KeyExchange = shaped(KeyExchange, message, 'm9a')
  checkTimestamp(exchange.timestamp, now, 'm9a')
  return exchange
}

/**
 * One key exchange and one cipher out of what m2 allows (ATH-2.2), signed by the client. A refusal ends nothing: the client may
 * send another m9a.
 *
 * @throws HandshakeError `no_common_capability`, `signature_invalid`
 */
export async function verifyKeyExchange(
  message: KeyExchange,
  expected: Omit<KeyExchangeExpectation, 'now'>,
): Promise<VerifiedKeyExchange> {
  const alg = allowed(message.key_exchange_alg, KEY_EXCHANGES, 'ECDH-P256', expected.capabilities)
  const cipherSuite = allowed(message.cipher_suite, CIPHER_SUITES, 'AES-256-GCM', expected.capabilities)
  const input = keyExchangeInput(
    message,
    expected.audience,
    expected.handshakeHash,
    expected.scopeRequestHash,
  )
  await verifyLabelled(expected.clientKey, KEY_EXCHANGE_LABEL, input, message.signature)
  return { message, alg, cipherSuite }
}

/** The mandatory algorithm needs no listing; any other must stand in `capabilities` (ATH-2). */
function allowed<Name extends string>(
  name: string,
  known: readonly Name[],
  mandatory: Name,
  capabilities: readonly string[],
): Name {
  const found = known.find((candidate) => candidate === name)
  if (found !== undefined && (found === mandatory || capabilities.includes(found))) return found
  throw refuse('no_common_capability', 'an algorithm that m2 does not allow', {
    rule: 'ATH-2.2',
    step: 'm9a',
  })
}
