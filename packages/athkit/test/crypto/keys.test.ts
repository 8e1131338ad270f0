import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { p256 } from '@noble/curves/nist.js'
import fc from 'fast-check'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { describe, expect, test } from 'vitest'
import { decodeBase64url, fromBase64url, toBase64url } from '../../src/crypto/bytes.ts'
import { generateShare } from '../../src/crypto/ecdh.ts'
import {
  generateExportable,
  generateSigner,
  publicKeyFromBytes,
  publicKeyFromJwk,
  publicKeyFromMultikey,
  publicKeyFromPem,
  sameKey,
  signerFromPkcs8,
  toMultikey,
  toPem,
} from '../../src/crypto/keys.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { verifyBytes } from '../../src/crypto/signature.ts'
import { HandshakeError } from '../../src/errors.ts'

const malformed = async (attempt: Promise<unknown>, why = '') => {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error, why).toBeInstanceOf(HandshakeError)
  expect((error as HandshakeError).error, why).toBe('malformed_message')
}

describe.each(['ES256', 'EdDSA'] as const)('keys of %s (ATH-1.4)', (alg) => {
  test('are the same as JWK, PEM and multikey', async () => {
    const { publicKey } = await generateSigner(alg)
    const forms = [
      await publicKeyFromJwk(publicKey.jwk),
      await publicKeyFromPem(toPem(publicKey)),
      await publicKeyFromMultikey(toMultikey(publicKey)),
    ]
    for (const form of forms) expect(sameKey(form, publicKey)).toBe(true)
    expect(publicKey.thumbprint).toBe(await calculateJwkThumbprint(publicKey.jwk as JWK))
    expect(createPublicKey(toPem(publicKey)).export({ format: 'jwk' })).toMatchObject(publicKey.jwk)
  })

  test('that are exported sign as before', async () => {
    const { signer, pkcs8Pem } = await generateExportable(alg)
    const again = await signerFromPkcs8(pkcs8Pem)
    const data = Buffer.from('text')
    expect(sameKey(again.publicKey, signer.publicKey)).toBe(true)
    expect(await verifyBytes(signer.publicKey, data, await again.sign(data))).toBe(true)
    expect(await verifyBytes(signer.publicKey, Buffer.from('other'), await again.sign(data))).toBe(false)
    await malformed(signerFromPkcs8(toPem(signer.publicKey)))
  })

  test('a signature of another length is none', async () => {
    const { publicKey, sign } = await generateSigner(alg)
    const signature = await sign(Buffer.from('x'))
    for (const length of [0, 63, 65]) {
      const other = new Uint8Array(length)
      other.set(signature.subarray(0, Math.min(length, 64)))
      expect(await verifyBytes(publicKey, Buffer.from('x'), other)).toBe(false)
    }
    expect(await verifyBytes(publicKey, Buffer.from('x'), new Uint8Array(64))).toBe(false)
  })
})

test('a PEM is one block of one of the two kinds of keys, a named curve, uncompressed, and nothing else', async () => {
  const pem = toPem((await generateSigner()).publicKey)
  const spki = (type: 'rsa' | 'ec', options: object) =>
    generateKeyPairSync(type as 'ec', options as { namedCurve: string }).publicKey.export({
      format: 'pem',
      type: 'spki',
    })
  const compressed = () => {
    const der = Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\n/g, ''), 'base64')
    der[26] = 2
    return `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`
  }
  for (const wrong of [
    '',
    'x',
    `${pem}${pem}`,
    `x${pem}`,
    `${pem}x`,
    pem.replace('PUBLIC', 'PRIVATE'),
    pem.replace(/.{4}\n-----END/, '\n-----END'),
    spki('rsa', { modulusLength: 2048 }),
    spki('ec', { namedCurve: 'P-384' }),
    spki('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }),
    compressed(),
  ]) {
    await malformed(publicKeyFromPem(wrong), String(wrong))
  }
  await malformed(publicKeyFromPem(undefined))
})

test('a JWK is a public signature key of one of the two kinds', async () => {
  const { jwk } = (await generateSigner()).publicKey
  for (const more of [
    { crv: 'P-384' },
    { kty: 'RSA' },
    { kty: 'OKP' },
    { x: undefined },
    { y: 'AA' },
    { x: `${jwk.x}=` },
    { y: jwk.x },
    { use: 'enc' },
    { key_ops: ['deriveBits'] },
  ]) {
    await malformed(publicKeyFromJwk({ ...jwk, ...more }), JSON.stringify(more))
  }
  for (const wrong of [null, undefined, [], 'x']) await malformed(publicKeyFromJwk(wrong))
})

test('points off the curve, at infinity, and of small order are no keys', async () => {
  const off = new Uint8Array(65).fill(1)
  off[0] = 4
  for (const point of [off, new Uint8Array(65), Uint8Array.of(0), new Uint8Array(33)]) {
    await malformed(publicKeyFromBytes('ES256', point))
  }
  // y = 1, y = −1, and y = 0 of RFC 8032: of order 1, 2 and 4.
  const small = ['01', 'ec', '00'].map((first, i) => {
    const bytes = new Uint8Array(32).fill(i === 1 ? 0xff : 0)
    bytes[0] = Number.parseInt(first, 16)
    if (i === 1) bytes[31] = 0x7f
    return bytes
  })
  for (const point of small) await malformed(publicKeyFromBytes('EdDSA', point))
  await malformed(publicKeyFromBytes('EdDSA', new Uint8Array(32).fill(0xff)))
})

test('a multikey is z and the base58 of a prefix and one key (ATH-4.1)', async () => {
  const text = toMultikey((await generateSigner()).publicKey)
  for (const wrong of [
    '',
    'z',
    text.slice(1),
    `u${text.slice(1)}`,
    `${text}1`,
    text.slice(0, -1),
    `z0${text.slice(2)}`,
    'z'.repeat(500),
  ]) {
    await malformed(publicKeyFromMultikey(wrong), wrong)
  }
})

describe('shares (ATH-2)', () => {
  test.each(['ECDH-P256', 'ECDH-X25519'] as const)('%s: both sides agree', async (alg) => {
    const [a, b] = await Promise.all([generateShare(alg), generateShare(alg)])
    const secret = await a.agree(b.params)
    expect(Buffer.from(secret)).toEqual(Buffer.from(await b.agree(a.params)))
    expect(secret).toHaveLength(32)
  })

  test('a share that is compressed, off its curve, of small order, or of another length is refused', async () => {
    const [p, x] = await Promise.all([generateShare('ECDH-P256'), generateShare('ECDH-X25519')])
    const compressed = toBase64url(p256.getPublicKey(p256.utils.randomSecretKey(), true))
    const hybrid = Buffer.from((await generateShare('ECDH-P256')).params, 'base64url')
    hybrid[0] = 6 + ((hybrid[64] as number) & 1)
    const off = new Uint8Array(65).fill(5)
    off[0] = 4
    for (const wrong of [
      compressed,
      toBase64url(hybrid),
      toBase64url(off),
      toBase64url(new Uint8Array(65)),
      x.params,
      '',
      undefined,
      7,
    ]) {
      await malformed(p.agree(wrong), String(wrong))
    }
    const one = new Uint8Array(32)
    one[0] = 1
    for (const wrong of [toBase64url(new Uint8Array(32)), toBase64url(one), p.params, `${x.params}=`, null]) {
      await malformed(x.agree(wrong), String(wrong))
    }
  })
})

describe('base64url (RFC 4648 §5, ATH-1.3)', () => {
  test('is that of the platform, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = toBase64url(bytes)
        expect(text).toBe(Buffer.from(bytes).toString('base64url'))
        expect(Buffer.from(fromBase64url(text)).equals(bytes)).toBe(true)
      }),
      { seed: 45 },
    )
  })

  test('no two texts stand for the same bytes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const bytes = decodeBase64url(text)
        if (bytes !== undefined) expect(toBase64url(bytes)).toBe(text)
      }),
      { numRuns: 2000, seed: 46 },
    )
    for (const wrong of ['A', 'AB', 'AAB', 'AA=', 'AA==', 'A A', 'AA\n', '+/AA', 'é'.repeat(4)]) {
      expect(decodeBase64url(wrong), wrong).toBeUndefined()
    }
  })
})

test('random bytes are of the length that is asked for, and never the same', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 2000; i++) seen.add(Buffer.from(randomBytes(16)).toString('hex'))
  expect(seen.size).toBe(2000)
  for (const length of [0, 1, 63, 64, 65, 5000]) expect(randomBytes(length)).toHaveLength(length)
})
