import { beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import * as m from '../../src/messages/index.ts'
import { AUDIENCE, mutations, NOW, ORIGINS, type Party, party, refusal } from './common.ts'

let user: Party
beforeAll(async () => {
  user = await party('did:ath:user_1')
})

const enrol = (more: Partial<m.EnrolmentOptions> = {}) =>
  m.createEnrolment({ user, audience: AUDIENCE, challenge: 'challenge-1', now: NOW, ...more })

const verify = (message: JsonObject, more: Partial<m.EnrolmentContext> = {}) =>
  refusal(
    m.verifyEnrolment(message, {
      origins: ORIGINS,
      challenge: 'challenge-1',
      now: NOW,
      keysOf: (did) => (did === user.did ? [user.key] : []),
      ...more,
    }),
  )

describe('an enrolment (ATH-4.7)', () => {
  test('proves possession of the DID', async () => {
    const message = await enrol()
    expect(await verify(message)).toEqual({ accepted: message })
  })

  test.each([
    ['of another challenge', { challenge: 'challenge-2' }, 'signature_invalid'],
    ['for another audience', { audience: 'https://other.example' }, 'signature_invalid'],
    ['301 s old', { now: NOW - 301 }, 'timestamp_skew'],
    ['301 s ahead', { now: NOW + 301 }, 'timestamp_skew'],
  ])('%s is refused', async (_, edit, name) => {
    expect(await verify(await enrol(edit))).toBe(name)
  })

  test('of a DID that another key signs for is refused', async () => {
    expect(await verify(await enrol({ user: await party(user.did) }))).toBe('signature_invalid')
    expect(await verify(await enrol({ user: { ...user, did: 'did:ath:user_2' } }))).toBe('signature_invalid')
  })

  test('without the challenge resolves nobody', async () => {
    const keysOf = () => {
      throw new Error('resolved')
    }
    expect(await verify(await enrol({ challenge: 'guess' }), { keysOf })).toBe('signature_invalid')
  })

  test('with any member missing or of another type is refused, never a crash', async () => {
    const message = await enrol()
    for (const [how, wrong] of mutations(message, Object.keys(message))) {
      expect(await verify(wrong), how).toMatch(/^(malformed_message|signature_invalid)$/)
    }
  })
})
