import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signJwt } from '../../src/crypto/jws.ts'
import { createStatusLists } from '../../src/did/index.ts'
import { AthError } from '../../src/errors.ts'
import type { Fetch } from '../../src/net/request.ts'
import { encodedList, entry, issuing, LIST_URL, statusList } from './status-list-world.ts'

let now: number
let issuer: Awaited<ReturnType<typeof issuing>>
beforeEach(async () => {
  now = 1_717_200_000
  issuer = await issuing()
})

function open(answer: () => Promise<string | Response>) {
  const sent: string[] = []
  const fetch: Fetch = async (url) => {
    sent.push(url)
    const body = await answer()
    return typeof body === 'string' ? new Response(body) : body
  }
  const lists = createStatusLists({ fetch, now: () => now })
  const check = (status: unknown) => lists.check({ credentialStatus: status } as JsonObject, issuer.document)
  return { sent, check }
}

const withSubject = (edit: JsonObject) => (claims: JsonObject) => ({
  ...claims,
  credentialSubject: { ...(claims.credentialSubject as JsonObject), ...edit },
})
const invalid = (reason: RegExp) =>
  expect.objectContaining({ error: 'credential_invalid', reason: expect.stringMatching(reason) })

describe('a Bitstring Status List (ATH-6.1.6)', () => {
  test('says of each place whether it is set, from the left-most bit on', async () => {
    const { check } = open(() => statusList(issuer, [0, 9, 131_071]))
    for (const index of [0, 9, 131_071]) {
      await expect(check(entry(index))).rejects.toEqual(invalid(/set it under revocation/))
    }
    for (const index of [1, 7, 8, 10, 131_070]) await expect(check(entry(index))).resolves.toBeUndefined()
  })

  test('is fetched once in 300 s, and as often as its issuer asks', async () => {
    let ttl: number | undefined
    const { check, sent } = open(() => statusList(issuer, [], withSubject({ ttl })))
    await check(entry(1))
    now += 299
    await check(entry(2))
    expect(sent).toEqual([LIST_URL])
    ttl = 10_000
    now += 1
    await check(entry(1))
    now += 9
    await check(entry(1))
    expect(sent).toHaveLength(2)
    now += 1
    await check(entry(1))
    expect(sent).toHaveLength(3)
  })

  test('is looked at for suspension too, and for every place that is named', async () => {
    const purposes = withSubject({ statusPurpose: ['revocation', 'suspension'] })
    const { check } = open(() => statusList(issuer, [5], purposes))
    await expect(check(entry(5, { statusPurpose: 'suspension' }))).rejects.toEqual(invalid(/suspension/))
    await expect(check([entry(4), entry(5)])).rejects.toEqual(invalid(/revocation/))
    await expect(check([entry(4), entry(6)])).resolves.toBeUndefined()
  })

  test('is not asked for where nothing depends on it', async () => {
    const { check, sent } = open(() => statusList(issuer, []))
    await check(undefined)
    await check(null)
    await check([])
    await check(entry(1, { statusPurpose: 'message', statusSize: 2 }))
    await check(entry(1, { statusPurpose: 'refresh' }))
    expect(sent).toEqual([])
  })
})

describe('a credential does not count whose status', () => {
  test.each<[string, RegExp, unknown]>([
    ['is of a kind not known here', /kind not known/, entry(1, { type: 'StatusList2021Entry' })],
    ['is no object', /kind not known/, 'revoked'],
    ['has no purpose', /without a purpose/, entry(1, { statusPurpose: null })],
    ['has no place', /without a place/, entry(1, { statusListIndex: null })],
    ['has a negative place', /without a place/, entry(-1)],
    ['has half a place', /without a place/, entry('1.5')],
    ['has a place in hexadecimal', /without a place/, entry('0x1')],
    ['has no list', /without a place/, entry(1, { statusListCredential: null })],
    ['has more bits than one', /without a place/, entry(1, { statusSize: 2 })],
    ['lies beyond its list', /beyond/, entry(131_072)],
    ['lies far beyond it', /beyond/, entry(2 ** 32 + 1)],
    [
      'is in a list that is not https:',
      /https/,
      entry(1, { statusListCredential: 'http://issuer.example/1' }),
    ],
    ['is in a list that is nowhere', /https/, entry(1, { statusListCredential: 'status' })],
  ])('%s', async (_, reason, status) => {
    const { check } = open(() => statusList(issuer, []))
    await expect(check(status)).rejects.toEqual(invalid(reason))
  })

  test.each<[string, RegExp, () => Promise<string | Response>]>([
    ['of another issuer', /no expected key/, async () => statusList(await issuing(), [])],
    [
      'signed by its issuer and said to be of another',
      /another issuer/,
      () => statusList(issuer, [], (claims) => ({ ...claims, issuer: 'did:ath:somebody_else' })),
    ],
    [
      'of another address',
      /another one/,
      () => statusList(issuer, [], (claims) => ({ ...claims, id: `${LIST_URL}0` })),
    ],
    [
      'of another purpose',
      /something else/,
      () => statusList(issuer, [], withSubject({ statusPurpose: 'suspension' })),
    ],
    ['of no purpose', /something else/, () => statusList(issuer, [], withSubject({ statusPurpose: null }))],
    [
      'that is another credential',
      /is none/,
      () => statusList(issuer, [], (claims) => ({ ...claims, type: ['VerifiableCredential'] })),
    ],
    [
      'that is not valid any more',
      /at present/,
      () => statusList(issuer, [], (claims) => ({ ...claims, validUntil: '2024-05-31T00:00:00Z' })),
    ],
    ['that has expired', /expired/, () => statusList(issuer, [], (claims) => ({ ...claims, exp: now }))],
    [
      'that is an access token',
      /another type/,
      async () => signJwt(issuer.signer, 'ath-at+jwt', { issuer: issuer.did }),
    ],
    ['that is no JWT', /three parts/, async () => 'revoked: none'],
    ['that is not there', /not there/, async () => new Response(null, { status: 404 })],
    ['that is elsewhere', /redirect/, async () => new Response(null, { status: 302 })],
    ['beyond 64 KiB', /more than 65536/, async () => 'x'.repeat(65_537)],
    [
      'shorter than 16 KiB',
      /too short/,
      async () => statusList(issuer, [], withSubject({ encodedList: await encodedList([], 16_383) })),
    ],
    [
      'that unpacks to more than 1 MiB',
      /too large/,
      async () => statusList(issuer, [], withSubject({ encodedList: await encodedList([], 1_048_577) })),
    ],
    ['that is not gzip', /not gzip/, () => statusList(issuer, [], withSubject({ encodedList: 'uAAAA' }))],
    [
      'in another base',
      /not encoded/,
      async () =>
        statusList(issuer, [], withSubject({ encodedList: (await encodedList([])).replace('u', 'm') })),
    ],
    ['of nothing', /not encoded/, () => statusList(issuer, [], withSubject({ encodedList: null }))],
  ])('is in a list %s', async (_, reason, answer) => {
    await expect(open(answer).check(entry(1))).rejects.toEqual(invalid(reason))
  })

  test('cannot be found out at present: that is no word about the credential', async () => {
    for (const answer of [
      () => Promise.reject(new Error('out of reach')),
      async () => new Response(null, { status: 500 }),
    ]) {
      await expect(open(answer).check(entry(1))).rejects.toMatchObject({
        error: 'resolver_unavailable',
        retryAfter: 10,
      })
    }
  })

  test('leads to an address that is not public', async () => {
    const guard = () => Promise.reject(new AthError('peer_violation', 'an address that is not public'))
    await expect(open(guard).check(entry(1))).rejects.toEqual(invalid(/not public/))
  })
})

test('a list of exactly 1 MiB is unpacked', async () => {
  const { check } = open(async () =>
    statusList(issuer, [], withSubject({ encodedList: await encodedList([8_388_607], 1_048_576) })),
  )
  await expect(check(entry(8_388_607))).rejects.toEqual(invalid(/revocation/))
  await expect(check(entry(8_388_606))).resolves.toBeUndefined()
})
