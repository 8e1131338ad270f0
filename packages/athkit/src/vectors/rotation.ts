import type { CipherSuite, KeyExchangeAlgorithm } from '../crypto/algorithms.ts'
import { fromBase64url, toBase64url } from '../crypto/bytes.ts'
import { shareFromPrivate } from '../crypto/ecdh.ts'
import type { JsonObject } from '../crypto/json.ts'
import { rotationPrk } from '../session/keys.ts'
import { finishRotation, type RotationRequest } from '../session/rotation.ts'

/** rotation.json: the keys of the next epoch, at the client (ATH-7.9). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const request = input.request as RotationRequest
  const alg = request.key_exchange_alg as KeyExchangeAlgorithm
  const share = await shareFromPrivate(alg, fromBase64url(input.client_share_private))
  const rekey = fromBase64url(input.rekey, 32)
  const { keys, response } = await finishRotation(input.response, {
    request,
    share,
    keys: { rekey, cipher: input.cipher as CipherSuite },
    highestEpoch: input.highest_epoch as number,
    now: input.now as number,
  })
  const z = await share.agree(response.key_exchange_params)
  return {
    z: toBase64url(z),
    prk: toBase64url(await rotationPrk({ rekey, z, request, response })),
    c2s: toBase64url(keys.c2s),
    s2c: toBase64url(keys.s2c),
    rekey: toBase64url(keys.rekey),
    epoch: keys.epoch,
  }
}
