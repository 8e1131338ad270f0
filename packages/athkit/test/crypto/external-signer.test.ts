import { createSign, generateKeyPairSync, sign as signRaw } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/crypto/bytes.ts'
import { externalSigner, verifyBytes } from '../../src/crypto/index.ts'
import { HandshakeError } from '../../src/errors.ts'

const p256 = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const ed25519 = generateKeyPairSync('ed25519')
const pemOf = ({ publicKey }: typeof p256) => publicKey.export({ type: 'spki', format: 'pem' }) as string

const der = (data: Uint8Array) => createSign('sha256').update(data).sign(p256.privateKey)
const data = utf8('what is signed')

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => 'signed',
    (error: unknown) => (error instanceof HandshakeError ? `${error.error} ${error.setting}` : String(error)),
  )

describe('a key in a KMS or HSM', () => {
  test('DER, as most give it: r and s of every length', async () => {
    const { publicKey, sign } = await externalSigner({ publicKeyPem: pemOf(p256), sign: der })
    // Every 128th r or s is shorter than 32 bytes, every other one has a zero before it.
    for (let i = 0; i < 400; i++) {
      const text = utf8(String(i))
      const signature = await sign(text)
      expect(signature.length).toBe(64)
      expect(await verifyBytes(publicKey, text, signature)).toBe(true)
    }
  })

  test('r‖s, and Ed25519', async () => {
    const raw = await externalSigner({
      publicKeyPem: pemOf(p256),
      sign: (bytes) => signRaw('sha256', bytes, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' }),
    })
    expect(await verifyBytes(raw.publicKey, data, await raw.sign(data))).toBe(true)
    const edwards = await externalSigner({
      publicKeyPem: pemOf(ed25519),
      sign: async (bytes) => signRaw(null, bytes, ed25519.privateKey),
    })
    expect(edwards.publicKey.alg).toBe('EdDSA')
    expect(await verifyBytes(edwards.publicKey, data, await edwards.sign(data))).toBe(true)
  })

  test('a signature of another key, over a hash of a hash, or none at all never leaves', async () => {
    const signatures: Uint8Array[] = [
      createSign('sha256').update(data).sign(other.privateKey),
      createSign('sha256').update('something else').sign(p256.privateKey),
      createSign('sha512').update(data).sign(p256.privateKey),
      new Uint8Array(64),
      new Uint8Array(),
      der(data).subarray(0, -1),
      Buffer.concat([der(data), Buffer.of(0)]),
      Buffer.from('3006020101020101', 'hex'),
      Buffer.from('30080202', 'hex'),
    ]
    for (const signature of signatures) {
      const { sign } = await externalSigner({ publicKeyPem: pemOf(p256), sign: () => signature })
      expect(await refusal(Promise.resolve(sign(data)))).toBe('signature_invalid identity')
    }
  })

  test('keys of another kind are none', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const made = externalSigner({ publicKeyPem: pemOf(rsa as never), sign: der })
    expect(await refusal(made)).toBe('malformed_message undefined')
  })
})
