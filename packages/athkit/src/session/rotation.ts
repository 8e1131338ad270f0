import * as v from 'valibot'
import { type CipherSuite, KEY_EXCHANGES, type KeyExchangeAlgorithm } from '../crypto/algorithms.ts'
import type { EphemeralShare } from '../crypto/ecdh.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { checkTimestamp, shaped, time } from '../crypto/shape.ts'
import { refuse } from '../errors.ts'
import { deriveNextEpoch, type EpochKeys } from './keys.ts'

/** Key rotation (ATH-7.9): one message each way, inside the session; the same `sid`, keys of a new ECDH. */
export const RotationRequest = v.object({
  type: v.literal('key_rotation'),
  key_exchange_alg: v.picklist(KEY_EXCHANGES),
  key_exchange_params: v.string(),
  timestamp: time,
})
export const RotationResponse = v.object({
  ...RotationRequest.entries,
  epoch: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(0xffffffff)),
})
export type RotationRequest = v.InferOutput<typeof RotationRequest> & JsonObject
export type RotationResponse = v.InferOutput<typeof RotationResponse> & JsonObject

export const createRotationRequest = (share: EphemeralShare, now: number): RotationRequest => ({
  type: 'key_rotation',
  key_exchange_alg: share.alg,
  key_exchange_params: share.params,
  timestamp: now,
})

/** The server's first look. @throws HandshakeError `malformed_message`, `timestamp_skew`, `no_common_capability` */
export function receiveRotationRequest(
  message: Json,
  capabilities: readonly string[],
  now: number,
): RotationRequest {
  const request: RotationRequest = shaped(RotationRequest, message, 'rotation')
  checkTimestamp(request.timestamp, now, 'rotation')
  const alg: KeyExchangeAlgorithm = request.key_exchange_alg
  if (alg !== 'ECDH-P256' && !capabilities.includes(alg)) {
    throw refuse('no_common_capability', 'a key exchange that m2 does not allow', { rule: 'ATH-2.2' })
  }
  return request
}

export interface Rotation {
  readonly keys: EpochKeys
  readonly response: RotationResponse
}

/**
 * The server's answer, and the keys of the epoch that it issues.
 *
 * @param epoch one above any issued
 * @throws HandshakeError `malformed_message` when the client's share is no valid share
 */
export async function answerRotation(
  request: RotationRequest,
  options: {
    readonly share: EphemeralShare
    readonly rekey: Uint8Array
    readonly cipher: CipherSuite
    readonly epoch: number
    readonly now: number
  },
): Promise<Rotation> {
  const { share, rekey, cipher, epoch, now } = options
  const response: RotationResponse = { ...createRotationRequest(share, now), epoch }
  const z = await share.agree(request.key_exchange_params)
  const secrets = await deriveNextEpoch({ rekey, z, request, response })
  z.fill(0)
  return { keys: { ...secrets, epoch, cipher, createdAt: now }, response }
}

/**
 * The client's check of the answer, and the same keys.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`
 */
export async function finishRotation(
  message: Json,
  options: {
    readonly request: RotationRequest
    readonly share: EphemeralShare
    readonly keys: Pick<EpochKeys, 'rekey' | 'cipher'>
    /** The highest epoch that this client has seen issued. */
    readonly highestEpoch: number
    readonly now: number
  },
): Promise<Rotation> {
  const { request, share, keys, highestEpoch, now } = options
  const response: RotationResponse = shaped(RotationResponse, message, 'rotation')
  checkTimestamp(response.timestamp, now, 'rotation')
  if (response.epoch <= highestEpoch)
    throw refuse('malformed_message', 'the epoch is not new', { rule: 'ATH-7.9' })
  if (response.key_exchange_alg !== request.key_exchange_alg) {
    throw refuse('malformed_message', 'the answer names another key exchange', { rule: 'ATH-7.9' })
  }
  const z = await share.agree(response.key_exchange_params)
  const secrets = await deriveNextEpoch({ rekey: keys.rekey, z, request, response })
  z.fill(0)
  return { keys: { ...secrets, epoch: response.epoch, cipher: keys.cipher, createdAt: now }, response }
}
