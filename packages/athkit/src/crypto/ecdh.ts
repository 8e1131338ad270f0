import { p256 } from '@noble/curves/nist.js'
import { HandshakeError, refuse } from '../errors.ts'
import { EXCHANGES, type KeyExchangeAlgorithm } from './algorithms.ts'
import { fromBase64url, toBase64url } from './bytes.ts'
import { publicOfX25519 } from './points.ts'
import { type KeyHandle, port } from './port.ts'
import { randomBytes } from './random.ts'

/** One side's ephemeral key pair, for one exchange (ATH-2, ATH-6.5). */
export interface EphemeralShare {
  readonly alg: KeyExchangeAlgorithm
  /** The public share: base64url of 65 bytes for P-256, uncompressed, of 32 for X25519. */
  readonly params: string
  /**
   * The shared secret: the x-coordinate or the X25519 output, 32 bytes. The caller zeroes it.
   *
   * @throws HandshakeError `malformed_message` when the peer's share is no valid share, or that of X25519 is all zeros
   */
  agree(peerParams: unknown): Promise<Uint8Array>
}

export async function generateShare(alg: KeyExchangeAlgorithm): Promise<EphemeralShare> {
  const { privateKey, share } = await port.generateShare(alg)
  return ephemeral(alg, privateKey, share)
}

/** A share whose private key may have to outlive this process. @returns the key beside it, 32 bytes, for {@link shareFromPrivate} */
export async function generateKeptShare(
  alg: KeyExchangeAlgorithm,
): Promise<{ readonly share: EphemeralShare; readonly scalar: Uint8Array }> {
  for (;;) {
    const scalar = randomBytes(32)
    // Of 2^32 numbers about one is none of the curve's.
    if (alg === 'ECDH-P256' && !p256.utils.isValidSecretKey(scalar)) continue
    return { share: await shareFromPrivate(alg, scalar), scalar }
  }
}

/** A share from a private key that is known. P-256 scalars are big-endian. */
export async function shareFromPrivate(
  alg: KeyExchangeAlgorithm,
  scalar: Uint8Array,
): Promise<EphemeralShare> {
  const share = alg === 'ECDH-X25519' ? publicOfX25519(scalar) : p256.getPublicKey(scalar, false)
  return ephemeral(alg, await port.importShare(alg, scalar, share), share)
}

function ephemeral(alg: KeyExchangeAlgorithm, privateKey: KeyHandle, share: Uint8Array): EphemeralShare {
  return {
    alg,
    params: toBase64url(share),
    async agree(peerParams) {
      const peer = fromBase64url(peerParams, EXCHANGES[alg].shareBytes)
      if (alg === 'ECDH-P256' && peer[0] !== 4) throw invalidShare('not uncompressed')
      const secret = await agreeOrRefuse(alg, privateKey, peer)
      // Of P-256, 0 is the x-coordinate of two points like any other.
      if (alg === 'ECDH-X25519' && secret.every((byte) => byte === 0)) throw invalidShare('all-zero result')
      return secret
    },
  }
}

async function agreeOrRefuse(
  alg: KeyExchangeAlgorithm,
  privateKey: KeyHandle,
  peer: Uint8Array,
): Promise<Uint8Array> {
  try {
    return await port.agree(alg, privateKey, peer)
  } catch (error) {
    if (error instanceof HandshakeError) throw error
    // Both ports refuse a point that is not on the curve, and X25519 results of small order, by an error of their own.
    throw invalidShare('no point of the curve')
  }
}

const invalidShare = (reason: string) =>
  refuse('malformed_message', `share: ${reason}`, { rule: 'ATH-2', step: 'm9a' })
