import { refuse } from '../errors.ts'
import { type Awaitable, concat } from './bytes.ts'
import { type PublicKey, publicKeyFromPem, type Signer } from './keys.ts'
import { verifyBytes } from './signature.ts'

export interface ExternalKey {
  /** PEM, `PUBLIC KEY`: what a KMS or HSM says the public key is. */
  readonly publicKeyPem: string
  /** Has it sign the bytes as they are: with SHA-256 for P-256, without a hash for Ed25519. */
  readonly sign: (data: Uint8Array) => Awaitable<Uint8Array>
}

/**
 * A key that never leaves where it is. P-256 signatures may come in DER, as most KMS give them, or as r‖s. Each is verified before it is
 * used: a wrong key or hash in a configuration is found out here, and not by whoever it was sent to.
 *
 * @throws HandshakeError `malformed_message` when the public key is none of P-256 or Ed25519
 */
export async function externalSigner({ publicKeyPem, sign }: ExternalKey): Promise<Signer> {
  const publicKey = await publicKeyFromPem(publicKeyPem)
  return {
    publicKey,
    async sign(data) {
      const given = await sign(data)
      const signature = await firstThatFits(publicKey, data, given)
      if (signature !== undefined) return signature
      throw refuse('signature_invalid', 'the external key does not sign as its public key says', {
        rule: 'ATH-5.1',
        setting: 'identity',
      })
    },
  }
}

async function firstThatFits(
  key: PublicKey,
  data: Uint8Array,
  given: Uint8Array,
): Promise<Uint8Array | undefined> {
  const forms = key.alg === 'ES256' ? [given, rawFromDer(given)] : [given]
  for (const form of forms) if (form !== undefined && (await verifyBytes(key, data, form))) return form
  return undefined
}

/** r‖s of an ECDSA-Sig-Value (RFC 3279): a SEQUENCE of two INTEGERs. */
function rawFromDer(der: Uint8Array): Uint8Array | undefined {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined
  const r = integerAt(der, 2)
  const s = r === undefined ? undefined : integerAt(der, r.end)
  return r === undefined || s === undefined || s.end !== der.length ? undefined : concat(r.value, s.value)
}

/** As 32 bytes. */
function integerAt(
  der: Uint8Array,
  at: number,
): { readonly value: Uint8Array; readonly end: number } | undefined {
  const length = der[at + 1]
  if (der[at] !== 0x02 || length === undefined || length > 33) return undefined
  const end = at + 2 + length
  const bytes = der.subarray(at + 2, end)
  const digits = bytes[0] === 0 ? bytes.subarray(1) : bytes
  if (end > der.length || digits.length > 32) return undefined
  const value = new Uint8Array(32)
  value.set(digits, 32 - digits.length)
  return { value, end }
}
