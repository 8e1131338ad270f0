import { existsSync, readFileSync } from 'node:fs'
import { p256 } from '@noble/curves/nist.js'
import { afterAll, expect, test } from 'vitest'
import { open, seal } from '../../src/crypto/aead.ts'
import type { CipherSuite, KeyExchangeAlgorithm } from '../../src/crypto/algorithms.ts'
import { concat, toBase64url } from '../../src/crypto/bytes.ts'
import { shareFromPrivate } from '../../src/crypto/ecdh.ts'
import { expand, extract } from '../../src/crypto/hkdf.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { decodeJws, signerOfJws, verifyJwt } from '../../src/crypto/jws.ts'
import { publicKeyFromJwk, publicKeyFromPem } from '../../src/crypto/keys.ts'
import { fromHex } from '../../src/crypto/pem.ts'
import { verifyBytes } from '../../src/crypto/signature.ts'

/**
 * The public test vectors of the Wycheproof project, through the library's own functions. They stand beside a checkout, not in it:
 * where they are absent this says so, and says it in the name of a test that checks just that.
 */
const FOLDER = new URL('../../../../../shared/wycheproof/', import.meta.url)

type Case = { tcId: number; comment: string; result: 'valid' | 'invalid' | 'acceptable' } & Record<
  string,
  string
>
type Group = { tests: Case[] } & Record<string, unknown>

/** What became of one: accepted with the right answer, refused, or accepted with a wrong one. */
type Verdict = 'right' | 'refused' | 'wrong'
interface Outcome {
  readonly verdict: Verdict
  /** Of an algorithm, a curve or a size that the profile does not have: to be refused, and counted apart. */
  readonly outside: boolean
}

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

async function verdict(attempt: () => Promise<boolean>): Promise<Verdict> {
  try {
    return (await attempt()) ? 'right' : 'wrong'
  } catch {
    return 'refused'
  }
}

/** A signature or a token that does not verify is refused. */
async function refusedUnless(holds: Promise<boolean>): Promise<boolean> {
  if (!(await holds)) throw new Error('does not verify')
  return true
}

const aead =
  (suite: CipherSuite) =>
  async (group: Group, one: Case): Promise<Outcome> => {
    const [key, nonce, ct, tag, msg] = ['key', 'iv', 'ct', 'tag', 'msg'].map((name) =>
      fromHex(one[name] ?? ''),
    ) as Uint8Array[]
    const sizes = group.keySize === 256 && group.ivSize === 96 && group.tagSize === 128
    // Records have no associated data: what was sealed with some is not ours, and must not open.
    const outside = !sizes || one.aad !== ''
    const sealed = concat(ct as Uint8Array, tag as Uint8Array)
    const opened = await verdict(
      async () => hex(await open(suite, key as Uint8Array, nonce as Uint8Array, sealed)) === one.msg,
    )
    if (outside || one.result === 'invalid') return { verdict: opened, outside }
    const again =
      hex(await seal(suite, key as Uint8Array, nonce as Uint8Array, msg as Uint8Array)) === hex(sealed)
    return { verdict: again ? opened : 'wrong', outside }
  }

const agree = (alg: KeyExchangeAlgorithm, scalar: Uint8Array, peer: string, shared: string | undefined) =>
  verdict(async () => hex(await (await shareFromPrivate(alg, scalar)).agree(peer)) === shared)

const RUNNERS = new Map<string, (group: Group, one: Case) => Promise<Outcome>>([
  ['aes_gcm_test.json', aead('AES-256-GCM')],
  ['chacha20_poly1305_test.json', aead('CHACHA20-POLY1305')],
  [
    'ecdh_secp256r1_ecpoint_test.json',
    async (_, one) => {
      const scalar = fromHex((one.private ?? '').padStart(64, '0').slice(-64))
      return {
        verdict: await agree('ECDH-P256', scalar, toBase64url(fromHex(one.public ?? '')), one.shared),
        outside: false,
      }
    },
  ],
  [
    'ecdh_secp256r1_webcrypto_test.json',
    async (_, one) => {
      const jwk = one.public as unknown as { crv: string; x: string; y: string }
      const scalar = Buffer.from((one.private as unknown as { d: string }).d, 'base64url')
      const point = concat(
        Uint8Array.of(4),
        Buffer.from(jwk.x ?? '', 'base64url'),
        Buffer.from(jwk.y ?? '', 'base64url'),
      )
      return {
        verdict: await agree('ECDH-P256', scalar, toBase64url(point), one.shared),
        outside: jwk.crv !== 'P-256',
      }
    },
  ],
  [
    'x25519_test.json',
    async (_, one) => ({
      verdict: await agree(
        'ECDH-X25519',
        fromHex(one.private ?? ''),
        toBase64url(fromHex(one.public ?? '')),
        one.shared,
      ),
      outside: false,
    }),
  ],
  ['ecdsa_secp256r1_sha256_p1363_test.json', signature],
  ['ed25519_test.json', signature],
  [
    'hkdf_sha256_test.json',
    async (_, one) => ({
      verdict: await verdict(async () => {
        const prk = await extract(fromHex(one.salt ?? ''), fromHex(one.ikm ?? ''))
        return hex(await expand(prk, fromHex(one.info ?? ''), Number(one.size))) === one.okm
      }),
      outside: false,
    }),
  ],
  ['json_web_signature_test.json', jws],
])

async function signature(group: Group, one: Case): Promise<Outcome> {
  const key = await publicKeyFromPem(group.publicKeyPem)
  const [data, bytes] = [fromHex(one.msg ?? ''), fromHex(one.sig ?? '')]
  return { verdict: await verdict(() => refusedUnless(verifyBytes(key, data, bytes))), outside: false }
}

async function jws(group: Group, one: Case): Promise<Outcome> {
  const jwk = (group.public ?? group.private) as JsonObject
  const inside = jwk.kty === 'EC' && jwk.crv === 'P-256'
  const checked = await verdict(async () => {
    const key = await publicKeyFromJwk(jwk)
    const { kid, ...header } = decodeJws(one.jws).header
    // Their key ids are names of their own; in the profile a key id is the thumbprint.
    if (kid !== undefined && kid !== jwk.kid) throw new Error('another key id')
    return (
      (await signerOfJws({ ...decodeJws(one.jws), header }, [key])) !== undefined ||
      refusedUnless(Promise.resolve(false))
    )
  })
  // As a token of ours none of them is anything: their payload is no set of claims.
  const keys = inside
    ? await publicKeyFromJwk({ kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y }).then((key) => [key])
    : []
  await expect(
    verifyJwt(one.jws, { typ: 'ath-at+jwt', keys, now: 0, refuseAs: 'token_invalid' }),
  ).rejects.toMatchObject({
    error: 'token_invalid',
  })
  return { verdict: checked, outside: !inside }
}

const present = existsSync(FOLDER)
const counts: string[] = []
let total = 0
afterAll(() => console.log(counts.join('\n')))

if (!present) {
  test('the Wycheproof vectors are absent: nothing of them was run', () => {
    counts.push('the Wycheproof vectors do not stand beside this checkout: none of their 2,767 cases was run')
    expect(existsSync(FOLDER)).toBe(false)
  })
} else {
  for (const [file, run] of RUNNERS) {
    test(`Wycheproof ${file}`, async () => {
      const { testGroups } = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as {
        testGroups: Group[]
      }
      const failures: string[] = []
      let [accepted, refused, outside] = [0, 0, 0]
      for (const group of testGroups) {
        for (const one of group.tests) {
          const outcome = await run(group, one)
          const mustRefuse = outcome.outside || one.result === 'invalid'
          // `acceptable`: points that others refuse too; taken with the right answer, or refused, never with a wrong one.
          const good = mustRefuse
            ? outcome.verdict === 'refused'
            : outcome.verdict === 'right' || (one.result === 'acceptable' && outcome.verdict === 'refused')
          if (!good) failures.push(`${one.tcId} ${one.comment} (${one.result}): ${outcome.verdict}`)
          total++
          if (outcome.outside) outside++
          else if (outcome.verdict === 'right') accepted++
          else refused++
        }
      }
      counts.push(
        `${file}: ${accepted} accepted, ${refused} refused, ${outside} outside the profile and refused`,
      )
      expect(failures).toEqual([])
    }, 60_000)
  }
  test('all 2,767 cases were run', () => expect(total).toBe(2767))
}

test('the scalar of a share is that of its public half', async () => {
  const scalar = fromHex('0612465c89a023ab17855b0a6bcebfd3febb53aef84138647b5352e02c10c346')
  expect((await shareFromPrivate('ECDH-P256', scalar)).params).toBe(
    toBase64url(p256.getPublicKey(scalar, false)),
  )
})
