import { describe, expect, test } from 'vitest'
import { generateShare } from '../../src/crypto/ecdh.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { type ErrorName, HandshakeError } from '../../src/errors.ts'
import { deriveSession, type EpochKeys } from '../../src/session/keys.ts'
import {
  answerRotation,
  createRotationRequest,
  finishRotation,
  receiveRotationRequest,
} from '../../src/session/rotation.ts'

const NOW = 1_717_200_000
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const ALL = ['ECDH-P256', 'ECDH-X25519']

async function epochZero(): Promise<EpochKeys> {
  const secrets = await deriveSession(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2))
  return { ...secrets, epoch: 0, cipher: 'AES-256-GCM', createdAt: NOW }
}

async function rotated(alg: 'ECDH-P256' | 'ECDH-X25519') {
  const keys = await epochZero()
  const share = await generateShare(alg)
  const request = receiveRotationRequest(createRotationRequest(share, NOW), ALL, NOW)
  const answered = await answerRotation(request, {
    share: await generateShare(alg),
    rekey: keys.rekey,
    cipher: keys.cipher,
    epoch: 1,
    now: NOW,
  })
  const finish = (more: JsonObject = {}, now = NOW, highestEpoch = 0) =>
    finishRotation({ ...answered.response, ...more }, { request, share, keys, highestEpoch, now })
  return { keys, answered, finish, share, request }
}

const nameOf = (work: Promise<unknown>): Promise<ErrorName | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof HandshakeError) return error.error
      throw error
    },
  )

describe.each(['ECDH-P256', 'ECDH-X25519'] as const)('rotation with %s (ATH-7.9)', (alg) => {
  test('both sides have the same keys, and none of them is an old one', async () => {
    const { keys, answered, finish } = await rotated(alg)
    const { keys: theirs } = await finish()
    for (const name of ['c2s', 's2c', 'rekey'] as const)
      expect(hex(theirs[name])).toBe(hex(answered.keys[name]))
    const all = [keys, theirs].flatMap(({ c2s, s2c, rekey }) => [c2s, s2c, rekey].map(hex))
    expect(new Set(all).size).toBe(6)
    expect(theirs.epoch).toBe(1)
  })

  test('an answer that was altered gives other keys or none', async () => {
    const { answered, finish } = await rotated(alg)
    expect(hex((await finish({ timestamp: NOW + 1 })).keys.c2s)).not.toBe(hex(answered.keys.c2s))
    expect(hex((await finish({ epoch: 2 })).keys.c2s)).not.toBe(hex(answered.keys.c2s))
    expect(hex((await finish({ more: 1 })).keys.c2s)).not.toBe(hex(answered.keys.c2s))
    expect(await nameOf(finish({ epoch: 0 }))).toBe('malformed_message')
    expect(await nameOf(finish({}, NOW, 1))).toBe('malformed_message')
    expect(await nameOf(finish({}, NOW, 7))).toBe('malformed_message')
    expect(await nameOf(finish({ epoch: 1.5 }))).toBe('malformed_message')
    expect(await nameOf(finish({ type: 'other' }))).toBe('malformed_message')
    expect(await nameOf(finish({ key_exchange_params: 'AAAA' }))).toBe('malformed_message')
    const other = alg === 'ECDH-P256' ? 'ECDH-X25519' : 'ECDH-P256'
    expect(await nameOf(finish({ key_exchange_alg: other }))).toBe('malformed_message')
    expect(await nameOf(finish({}, NOW + 301))).toBe('timestamp_skew')
  })
})

test('a request for what m2 did not offer, out of time, or of another shape', async () => {
  const request = createRotationRequest(await generateShare('ECDH-X25519'), NOW)
  const receive = async (message: unknown, capabilities = ALL, now = NOW) =>
    receiveRotationRequest(message as JsonObject, capabilities, now)
  expect(await nameOf(receive(request, []))).toBe('no_common_capability')
  expect(await nameOf(receive(request, ALL, NOW + 301))).toBe('timestamp_skew')
  for (const wrong of [
    null,
    [],
    'x',
    {},
    { ...request, key_exchange_alg: 'ECDH-P521' },
    { ...request, type: 1 },
  ]) {
    expect(await nameOf(receive(wrong))).toBe('malformed_message')
  }
})

test('a share that is no point gives no keys (ATH-2)', async () => {
  const { rekey, cipher } = await epochZero()
  const off = Buffer.alloc(65, 1)
  off[0] = 4
  const bad: [string, string][] = [
    ['ECDH-P256', off.toString('base64url')],
    ['ECDH-P256', Buffer.alloc(33, 2).toString('base64url')],
    ['ECDH-X25519', Buffer.alloc(32).toString('base64url')],
    ['ECDH-X25519', `${Buffer.alloc(32, 9).toString('base64url')}=`],
  ]
  for (const [alg, params] of bad) {
    const request = {
      type: 'key_rotation',
      key_exchange_alg: alg,
      key_exchange_params: params,
      timestamp: NOW,
    }
    const share = await generateShare(alg as 'ECDH-P256')
    const answer = answerRotation(receiveRotationRequest(request, ALL, NOW), {
      share,
      rekey,
      cipher,
      epoch: 1,
      now: NOW,
    })
    expect(await nameOf(answer), params).toBe('malformed_message')
  }
})
