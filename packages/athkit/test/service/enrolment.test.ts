import { beforeEach, describe, expect, test } from 'vitest'
import type { Json } from '../../src/crypto/json.ts'
import { createResolver, rotateKeyOperation } from '../../src/did/index.ts'
import type { Identity } from '../../src/handshake/index.ts'
import { createEnrolment, type EnrolmentOptions } from '../../src/messages/enrolment.ts'
import { storedUsers } from '../../src/service/index.ts'
import { memory } from '../../src/store/memory.ts'
import { named } from '../did/names.ts'
import { openRegistry } from '../registry/world.ts'
import { seed } from './sealed/session.ts'
import { ASK_NOBODY, agentOf, NOW, ORIGIN, open, party, type Shop, shop } from './shop.ts'

const PATH = '/ath/enrolment'

/** A shop that links its users itself; nobody is linked yet. */
async function enrolling(more: Parameters<typeof shop>[0] = {}) {
  const store = memory()
  const at = await shop({ users: storedUsers(store, () => NOW * 1000), ...more }, { store })
  at.service.setApplication(() => new Response('ok'))
  return { at, enrolment: enrolmentOf(at) }
}

function enrolmentOf({ service }: Shop) {
  if (service.enrolment === undefined) throw new Error('users are not linked here')
  return service.enrolment
}

const signed = (at: Shop, challenge: string, edit: Partial<EnrolmentOptions> = {}) =>
  createEnrolment({ user: at.user, audience: ORIGIN, challenge, now: at.clock.now, ...edit })

const post = (at: Shop, message: Json) => at.call('POST', PATH, message)

/** The whole way: a challenge out of the account's page, signed, brought. */
async function enrol(at: Shop, account: string, user: Identity = at.user) {
  const { challenge } = await enrolmentOf(at).challenge(account)
  return post(at, await signed(at, challenge, { user }))
}

const inbox = async (at: Shop) =>
  (await at.call('GET', '/ath/inbox', undefined, { headers: await at.wallet.bearer() })).status

let at: Shop
let enrolment: ReturnType<typeof enrolmentOf>
beforeEach(async () => {
  ;({ at, enrolment } = await enrolling())
})

describe('enrolment (ATH-4.7)', () => {
  test('links a DID to the account whose page gave the challenge', async () => {
    expect(await inbox(at)).toBe(401)
    const { challenge, audience, expiresAt } = await enrolment.challenge('alice')
    expect([audience, expiresAt]).toEqual([ORIGIN, NOW + 600])
    expect(challenge).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(await post(at, await signed(at, challenge))).toMatchObject({
      status: 200,
      body: {
        type: 'enrolment_receipt',
        user_did: at.user.did,
        server_did: at.server.did,
        timestamp: NOW,
      },
    })
    expect(await enrolment.linked('alice')).toEqual([at.user.did])
    expect(await inbox(at)).toBe(200)
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    expect((await agent.post(await agent.m5())).status).toBe(202)
    expect(at.events).toContainEqual({ type: 'user_linked', userDid: at.user.did, account: 'alice' })
  })

  test.each<[string, (challenge: string) => Promise<Json>, string]>([
    [
      'signed by another key',
      async (c) => ({ ...(await signed(at, c, { user: await party() })), user_did: at.user.did }),
      'signature_invalid',
    ],
    ['for another audience', (c) => signed(at, c, { audience: 'https://evil.example' }), 'signature_invalid'],
    ['of a challenge nobody gave', () => signed(at, 'A'.repeat(43)), 'signature_invalid'],
    ['of an empty challenge', () => signed(at, ''), 'signature_invalid'],
    ['too old', (c) => signed(at, c, { now: NOW - 301 }), 'timestamp_skew'],
    ['unsigned', async (c) => ({ ...(await signed(at, c)), signature: null }), 'malformed_message'],
    [
      'of a DID that nobody can resolve',
      (c) => signed(at, c, { user: { ...at.user, did: 'did:ath:nobody' } }),
      'identity_unknown',
    ],
    [
      'of a DID longer than any row',
      (c) => signed(at, c, { user: { ...at.user, did: `did:web:${'a'.repeat(600)}` } }),
      'malformed_message',
    ],
  ])('%s is refused, and the challenge is still good', async (_, make, error) => {
    const { challenge } = await enrolment.challenge('alice')
    expect(await post(at, await make(challenge))).toMatchObject({ body: { error } })
    expect(await enrolment.linked('alice')).toEqual([])
    expect((await post(at, await signed(at, challenge))).status).toBe(200)
  })

  test('a challenge is good once, whoever brings it at once', async () => {
    const { challenge } = await enrolment.challenge('alice')
    const messages = await Promise.all(
      Array.from({ length: 10 }, async () => signed(at, challenge, { user: await party() })),
    )
    const answers = await Promise.all(messages.map((message) => post(at, message)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(401)])
    const [linked, ...others] = await enrolment.linked('alice')
    expect(others).toEqual([])
    expect(await post(at, await signed(at, challenge))).toMatchObject({
      body: { error: 'signature_invalid' },
    })
    // A lost answer is asked for again: it is the same, and once it is no longer true it is none.
    const again = messages.find(({ user_did }) => user_did === linked) as Json
    expect(await post(at, again)).toMatchObject({ status: 200, body: { user_did: linked } })
    await enrolment.unlink('alice', String(linked))
    expect(await post(at, again)).toMatchObject({ body: { error: 'signature_invalid' } })
    expect(await enrolment.linked('alice')).toEqual([])
  })

  test('a challenge lapses after ten minutes', async () => {
    const { challenge } = await enrolment.challenge('alice')
    at.clock.now += 600
    expect(await post(at, await signed(at, challenge))).toMatchObject({
      body: { error: 'signature_invalid' },
    })
  })

  test('no DID is resolved for whoever brings no challenge', async () => {
    const asked: string[] = []
    const watched = open(at, {
      users: storedUsers(at.store, () => NOW * 1000),
      resolver: {
        resolve: async (did) => {
          asked.push(did)
          throw new Error('not to be asked')
        },
      },
    })
    expect((await post(watched, await signed(watched, 'A'.repeat(43)))).status).toBe(401)
    expect(asked).toEqual([])
  })

  test('a key that the user has just exchanged counts, whatever is cached (ATH-4.4)', async () => {
    const registry = openRegistry()
    const user = await named('did:ath:alice')
    const before = await registry.registry.submit(user.create)
    const resolver = createResolver({ registry: registry.registry, now: () => NOW })
    const shopOf = (await enrolling({ resolver })).at
    await resolver.resolve(user.did)
    const next = (await party()).signer
    await registry.submit(
      await rotateKeyOperation({
        state: before,
        from: user.speaking.publicKey,
        to: next,
        signers: [user.controlling],
        now: NOW,
      }),
    )
    expect((await enrol(shopOf, 'alice', { did: user.did, signer: next })).status).toBe(200)
    expect((await enrol(shopOf, 'alice', { did: user.did, signer: user.speaking })).status).toBe(401)
  })
})

describe('a DID belongs to one account', () => {
  const granted = (account: string) => seed(at, { grant: { account } })

  test('linked elsewhere it moves, and its grants of before have ended', async () => {
    await enrol(at, 'alice')
    const client = await granted('alice')
    expect((await client.send('GET', '/')).status).toBe(200)
    await enrol(at, 'bob')
    expect(await client.send('GET', '/')).toMatchObject({ status: 401, error: 'grant_revoked' })
    expect([await enrolment.linked('alice'), await enrolment.linked('bob')]).toEqual([[], [at.user.did]])
    // And back, when what is granted counts again.
    await enrol(at, 'alice')
    expect((await (await granted('alice')).send('GET', '/')).status).toBe(200)
  })

  test('linked to the same account again nothing ends', async () => {
    await enrol(at, 'alice')
    const client = await granted('alice')
    await enrol(at, 'alice')
    expect((await client.send('GET', '/')).status).toBe(200)
  })

  test('a handshake that was under way under the old account grants nothing any more', async () => {
    await enrol(at, 'alice')
    const node = open(at, { ...ASK_NOBODY, users: storedUsers(at.store, () => NOW * 1000) })
    const agent = await agentOf(node)
    await agent.post(agent.m3)
    const m5 = await agent.m5()
    expect((await agent.post(m5)).status).toBe(200)
    await enrol(at, 'bob')
    expect(await agent.post(await agent.m9a(m5))).toMatchObject({
      status: 401,
      body: { error: 'credential_revoked' },
    })
  })

  test('the answer is the same for one that is new, linked already, or linked elsewhere', async () => {
    const answers = []
    for (const account of ['alice', 'alice', 'bob']) {
      const { status, body, headers } = await enrol(at, account)
      answers.push({ status, body, headers: [...headers].sort() })
    }
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
  })

  test('whoever links it meanwhile, on whatever node: one account has it', async () => {
    const accounts = ['a', 'b', 'c', 'd', 'e', 'f']
    const nodes = accounts.map(() => open(at, { users: storedUsers(at.store, () => NOW * 1000) }))
    const answers = await Promise.all(accounts.map((account, n) => enrol(nodes[n] as Shop, account)))
    expect(answers.map(({ status }) => status)).toEqual(accounts.map(() => 200))
    const lists = await Promise.all(accounts.map((account) => enrolment.linked(account)))
    expect(lists.flat()).toEqual([at.user.did])
  })

  test('each that links it is told which account it left: every move is somebody’s, and nobody’s twice', async () => {
    const users = storedUsers(at.store, () => NOW * 1000)
    const accounts = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    const left = await Promise.all(accounts.map((account) => users.link(at.user.did, account)))
    const now = (await users.find(at.user.did))?.account
    expect([...left, now].sort()).toEqual([...accounts, undefined].sort())
  })
})

describe('unlinking', () => {
  test('ends the grants at once, and the DID is nobody’s', async () => {
    await enrol(at, 'alice')
    const clients = await Promise.all([
      seed(at, { grant: { account: 'alice' } }),
      seed(at, { grant: { account: 'alice' } }),
    ])
    for (const client of clients) expect((await client.send('GET', '/')).status).toBe(200)
    expect(await enrolment.unlink('alice', at.user.did)).toBe(true)
    for (const client of clients) {
      expect(await client.send('GET', '/')).toMatchObject({ status: 401, error: 'grant_revoked' })
    }
    expect([await inbox(at), await enrolment.linked('alice')]).toEqual([401, []])
    expect(at.events).toContainEqual({ type: 'user_unlinked', userDid: at.user.did, account: 'alice' })
    expect(at.events.filter(({ type }) => type === 'revoked')).toHaveLength(2)
    // A grant that was being made meanwhile is not made.
    await expect(seed(at, { grant: { account: 'alice' } })).rejects.toMatchObject({
      error: 'credential_revoked',
    })
  })

  test('another account’s DID stays', async () => {
    await enrol(at, 'alice')
    expect(await enrolment.unlink('bob', at.user.did)).toBe(false)
    expect(await inbox(at)).toBe(200)
  })

  test('an operator who keeps links elsewhere says when one has ended', async () => {
    const elsewhere = await shop()
    elsewhere.service.setApplication(() => new Response('ok'))
    expect(elsewhere.service.enrolment).toBeUndefined()
    expect(await elsewhere.raw('POST', PATH, '{}').catch(() => 'none of ATH’s')).toBe('none of ATH’s')
    const client = await seed(elsewhere)
    expect((await client.send('GET', '/')).status).toBe(200)
    expect(await elsewhere.service.endLink(elsewhere.user.did, 'account-1')).toBe(1)
    expect(await client.send('GET', '/')).toMatchObject({ error: 'grant_revoked' })
  })
})
