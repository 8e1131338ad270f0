import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toBase64url } from '../../src/crypto/bytes.ts'
import { hash } from '../../src/crypto/jcs.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { AthError } from '../../src/errors.ts'
import type { Identity } from '../../src/handshake/index.ts'
import { createRevocation, type RevocationOptions } from '../../src/messages/revocation.ts'
import { CASCADES } from '../../src/service/revocation/cascade.ts'
import { indexGrant } from '../../src/service/revocation/index-rows.ts'
import { pairPartition } from '../../src/service/rows.ts'
import { memory } from '../../src/store/memory.ts'
import { sqlite } from '../../src/store/sqlite.ts'
import type { Operation, Store } from '../../src/store/store.ts'
import { type Client, otherNode, seed, writing } from './sealed/session.ts'
import { ASK_NOBODY, agentOf, ORIGIN, open, party, type Shop, shop } from './shop.ts'

const REVOKED = { outer: 200, status: 401, error: 'grant_revoked', ath: true }
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Two nodes, each with a connection of its own to one SQLite file. */
async function twoNodes() {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-revocation-'))
  const stores = [await sqlite(join(folder, 'ath.db')), await sqlite(join(folder, 'ath.db'))] as const
  closing.push(
    () => rmSync(folder, { recursive: true, force: true }),
    ...stores.map((store) => () => store.close()),
  )
  const at = await shop({ restrictions: {} }, { store: stores[0] })
  at.service.setApplication(() => new Response('ok'))
  return { at, other: otherNode({ ...at, store: stores[1] }) }
}

const revoke = async (
  at: Shop,
  signer: Identity,
  more: Pick<RevocationOptions, 'target'> & Partial<RevocationOptions>,
) =>
  at.call(
    'POST',
    '/ath/revocations',
    await createRevocation({
      signer,
      audience: ORIGIN,
      reason: 'enough',
      now: at.clock.now,
      ...(more.target.kind === 'credential' ? { expiresAt: at.clock.now + 7200 } : {}),
      ...more,
    }),
  )

const credential = () => toBase64url(randomBytes(32))

describe('a revocation is seen by the next request, on every node (ATH-8)', () => {
  let [at, other] = [] as unknown as [Shop, Shop]
  beforeEach(async () => {
    ;({ at, other } = await twoNodes())
  })

  test.each(['user', 'agent', 'server'] as const)('of a grant, by its %s', async (who) => {
    const client = await seed(at)
    const untouched = await seed(at)
    expect(await client.send('GET', '/', { via: other })).toMatchObject({ status: 200 })
    const { status, body } = await revoke(at, at[who], { target: { kind: 'grant', id: client.grant.id } })
    expect([status, body.type]).toEqual([200, 'revocation_receipt'])
    expect(await client.send('GET', '/', { via: other })).toMatchObject(REVOKED)
    expect(await client.send('POST', '/ath/session/token', { via: other })).toMatchObject(REVOKED)
    expect(await untouched.send('GET', '/', { via: other })).toMatchObject({ status: 200 })
  })

  test('of a credential: every grant made from it, of every agent, and none beside', async () => {
    const credentialId = credential()
    const clients = await Promise.all(
      [at.agent.did, 'did:ath:second', 'did:ath:third'].map((clientDid) =>
        seed(at, { grant: { credentialId, clientDid } }),
      ),
    )
    const untouched = await seed(at)
    for (const client of clients)
      expect(await client.send('GET', '/', { via: other })).toMatchObject({ status: 200 })
    await revoke(at, at.user, { target: { kind: 'credential', id: credentialId } })
    for (const client of clients) {
      const asked = watch(other.store)
      expect(await client.send('GET', '/', { via: other })).toMatchObject(REVOKED)
      // One key of its own pair says so, and the refusal is written down beside it.
      expect(asked.calls.map(({ partition }) => partition.split(':')[0])).toEqual(['pair', 'pair'])
      asked.stop()
    }
    expect(await untouched.send('GET', '/', { via: other })).toMatchObject({ status: 200 })
    const ended = at.events.filter((event) => event.type === 'revoked')
    expect(ended.map(({ kind }) => kind).sort()).toEqual(['credential', 'grant', 'grant', 'grant'])
  })

  test('nobody ends what is not theirs, and cannot tell', async () => {
    const stranger = await party()
    const client = await seed(at)
    const own = await seed(at, { grant: { clientDid: stranger.did, userDid: at.user.did } })
    const answer = await revoke(at, stranger, { target: { kind: 'grant', id: client.grant.id } })
    const known = await revoke(at, stranger, { target: { kind: 'grant', id: own.grant.id } })
    expect([answer.status, Object.keys(answer.body).sort()]).toEqual([
      known.status,
      Object.keys(known.body).sort(),
    ])
    await revoke(at, stranger, { target: { kind: 'credential', id: client.grant.credentialId } })
    expect(await client.send('GET', '/', { via: other })).toMatchObject({ status: 200 })
    expect(await own.send('GET', '/', { via: other })).toMatchObject(REVOKED)
  })

  test('of a DID that was deactivated, a user’s or an agent’s', async () => {
    const [ofUser, ofOther] = [
      await seed(at),
      await seed(at, { grant: { userDid: 'did:ath:other', clientDid: 'did:ath:bot' } }),
    ]
    const ofAgent = await seed(at, { grant: { userDid: 'did:ath:third' } })
    expect(await at.service.endGrantsOf(at.user.did, 'deactivated')).toBe(1)
    expect(await ofUser.send('GET', '/', { via: other })).toMatchObject(REVOKED)
    expect(await ofAgent.send('GET', '/', { via: other })).toMatchObject({ status: 200 })
    expect(await at.service.endGrantsOf(at.agent.did, 'deactivated')).toBe(1)
    expect(await ofAgent.send('GET', '/', { via: other })).toMatchObject(REVOKED)
    expect(await ofOther.send('GET', '/', { via: other })).toMatchObject({ status: 200 })
  })

  test('the operator’s own calls, and what a user holds with its last use', async () => {
    const client = await seed(at)
    const second = await seed(at)
    at.clock.now += 5
    await client.send('GET', '/', { via: other })
    const { grants } = await other.service.grantsOf(at.user.did)
    expect(grants.map(({ id, last_used_at }) => [id, last_used_at])).toEqual(
      expect.arrayContaining([
        [client.grant.id, at.clock.now],
        [second.grant.id, null],
      ]),
    )
    expect(await at.service.revokeGrant(second.grant.id, 'misuse')).toBe(true)
    expect(await at.service.revokeGrant('nobody', 'misuse')).toBe(false)
    expect(await at.service.revokeCredential(at.user.did, client.grant.credentialId, 'lost')).toBe(1)
    expect(await client.send('GET', '/', { via: other })).toMatchObject(REVOKED)
    expect((await other.service.grantsOf(at.user.did)).grants).toEqual([])
  })

  test('a stream that is open on another node is cut within a second', { retry: 2 }, async () => {
    const endless = () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('data: 0\n\n')),
        }),
        { headers: { 'content-type': 'text/event-stream' } },
      )
    other.service.setApplication(endless)
    const [client, second, untouched] = [await seed(at), await seed(at), await seed(at)]
    const [ofBot, ofOther] = [
      await seed(at, { grant: { clientDid: 'did:ath:bot' } }),
      await seed(at, { grant: { clientDid: 'did:ath:other' } }),
    ]
    const opened = async (of: Client) => {
      const { header, bytes } = await of.seal('GET', '/events')
      const { body } = await of.open(await of.post(bytes, { via: other }), header)
      // What came with the head, and what the application had sent.
      await body.next()
      await body.next()
      return body
    }
    const goesOn = await opened(untouched)
    const streams = await Promise.all([client, second, ofBot, ofOther].map(opened))
    const ended = Promise.all(streams.map((body) => expect(body.next()).rejects.toThrow()))
    await at.service.revokeGrant(client.grant.id, 'misuse')
    await at.service.revokeCredential(at.user.did, second.grant.credentialId, 'lost')
    await at.service.agents.suspend('did:ath:bot', 'orders at night')
    other.service.reloadPolicy({ agents: { 'did:ath:other': { allow: false } } })
    const began = performance.now()
    await ended
    expect(performance.now() - began).toBeLessThan(1000)
    const still = await Promise.race([
      goesOn.next(),
      new Promise((resolve) => setTimeout(resolve, 500, 'open')),
    ])
    expect(still).toBe('open')
    await at.service.revokeGrant(untouched.grant.id, 'the end')
  })
})

describe('what is under way when a revocation comes commits no more', () => {
  const asking = async (more: Parameters<typeof shop>[0] = {}) => {
    const at = await shop({ ...ASK_NOBODY, restrictions: {}, ...more })
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post(agent.m3)
    return { at, agent, m5 }
  }

  test.each(['before m5', 'before m9a', 'before m9b'] as const)(
    'a credential that is revoked %s',
    async (when) => {
      const { at, agent } = await asking()
      const jti = 'taken-back'
      const credentialId = await hash([at.user.did, jti])
      const m5 = await agent.m5({ credential: await agent.credential({ jti }) })
      const take = () => revoke(at, at.user, { target: { kind: 'credential', id: credentialId } })
      const refused = { status: 401, body: { error: 'credential_revoked' } }
      if (when === 'before m5') {
        await take()
        expect(await agent.post(m5)).toMatchObject(refused)
        return
      }
      expect((await agent.post(m5)).status).toBe(200)
      if (when === 'before m9a') await take()
      else {
        const { transact } = at.store
        Object.assign(at.store, {
          transact: async (...given: Parameters<typeof transact>) => {
            // The transaction that would commit the grant in its pair.
            if (
              given[0].startsWith('pair:') &&
              given[1].some((op) => op.op === 'put' && op.key.startsWith('session:'))
            ) {
              Object.assign(at.store, { transact })
              await take()
            }
            return transact(...given)
          },
        })
      }
      expect(await agent.post(await agent.m9a(m5))).toMatchObject(refused)
      expect((await at.service.grantsOf(at.user.did)).grants).toEqual([])
    },
  )

  test.each(['user', 'agent'] as const)('a DID that is deactivated before m9b: the %s’s', async (who) => {
    const { at, agent, m5 } = await asking()
    expect((await agent.post(m5)).status).toBe(200)
    await at.service.endGrantsOf(at[who].did, 'deactivated')
    const m9b = await agent.post(await agent.m9a(m5))
    expect([m9b.status, m9b.body.error]).toEqual([401, 'credential_revoked'])
    expect((await at.service.grantsOf(at.user.did)).grants).toEqual([])
  })

  test('a grant that was indexed and not yet committed', async () => {
    const at = await shop({ restrictions: {} })
    const { grant, session } = await seed(at)
    const early = { ...grant, id: toBase64url(randomBytes(16)) }
    const partition = await pairPartition(early.clientDid, early.userDid)
    expect(await indexGrant(writing(at), early, partition)).toBe('indexed')
    // Of the grant alone: nothing else that is looked for says so.
    const taken = await revoke(at, at.user, { target: { kind: 'grant', id: early.id } })
    expect(taken.status).toBe(200)
    await expect(seed(at, { grant: early, session })).rejects.toThrow('revoked')
  })
})

test('a grant that is at its end is not ended once more (ATH-8)', async () => {
  const at = await shop({ restrictions: {} })
  at.service.setApplication(() => new Response('ok'))
  const client = await seed(at)
  const other = await seed(at)
  for (const one of [client, other]) expect(await one.send('GET', '/')).toMatchObject({ status: 200 })
  at.clock.now = client.grant.expiresAt
  expect((await revoke(at, at.user, { target: { kind: 'grant', id: client.grant.id } })).status).toBe(200)
  expect(await at.service.revokeGrant(other.grant.id, 'enough')).toBe(true)
  for (const one of [client, other])
    expect(await one.send('GET', '/')).toMatchObject({ outer: 200, error: 'session_expired' })
})

describe('a cascade that its process did not live to finish', () => {
  /** A node whose process dies at its nth call of the store from now on. */
  function dying(at: Shop, calls: number) {
    let left = calls
    const store: Store = {
      ...at.store,
      transact: ((...given: Parameters<Store['transact']>) => {
        if (given[0] !== CASCADES && given[0].startsWith('cascade')) throw new Error('unreachable')
        return left-- > 0
          ? at.store.transact(...given)
          : Promise.reject(new AthError('store_unavailable', 'dead'))
      }) as Store['transact'],
    }
    const { server, user, agent, clock } = at
    return open({ server, user, agent, clock, store }, { restrictions: {} })
  }

  const left = async (store: Store, now: number) => {
    const listing = [{ op: 'list', prefix: '', limit: 10 }] as const
    return (await store.transact(CASCADES, listing, now)).results[0] ?? []
  }

  test('is finished by another, wherever it broke off, and nothing is told twice', async () => {
    let broken = 0
    for (let calls = 1; ; calls++) {
      const at = await shop({ restrictions: {} }, { store: memory() })
      at.service.setApplication(() => new Response('ok'))
      const credentialId = credential()
      const clients = await Promise.all(
        ['did:ath:a', 'did:ath:b', 'did:ath:c'].map((clientDid) =>
          seed(at, { grant: { credentialId, clientDid } }),
        ),
      )
      const mortal = dying(at, calls)
      const died = await mortal.service.revokeCredential(at.user.did, credentialId, 'lost').then(
        () => false,
        () => true,
      )
      if (!died) break
      broken++
      expect(await at.service.finishRevocations(), 'one under way is left alone').toBe(0)
      at.clock.now += 10
      expect(await at.service.finishRevocations()).toBe(1)
      for (const client of clients) expect(await client.send('GET', '/')).toMatchObject(REVOKED)
      expect(await left(at.store, at.clock.now)).toEqual([])
      const told = [...mortal.events, ...at.events].flatMap((event) =>
        event.type === 'revoked' && event.kind === 'grant' ? [event.id] : [],
      )
      expect(told.sort()).toEqual(clients.map(({ grant }) => grant.id).sort())
    }
    expect(broken).toBeGreaterThan(8)
  })

  test('is finished by itself where anything is asked that a revoked grant could be used for', async () => {
    const at = await shop({ restrictions: {} }, { store: memory() })
    at.service.setApplication(() => new Response('ok'))
    const client = await seed(at)
    await expect(dying(at, 1).service.endGrantsOf(at.agent.did, 'deactivated')).rejects.toThrow('dead')
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
    at.clock.now += 10
    await client.send('GET', '/')
    await expect.poll(() => client.send('GET', '/')).toMatchObject(REVOKED)
  })

  test('of what was not written down nothing was done', async () => {
    const at = await shop({ restrictions: {} }, { store: memory() })
    at.service.setApplication(() => new Response('ok'))
    const client = await seed(at)
    await expect(dying(at, 0).service.endGrantsOf(at.agent.did, 'x')).rejects.toThrow('dead')
    at.clock.now += 10
    expect(await at.service.finishRevocations()).toBe(0)
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
  })
})

/** What is asked of the store from now on. */
function watch(store: Store) {
  const { transact } = store
  const calls: { readonly partition: string; readonly operations: readonly Operation[] }[] = []
  Object.assign(store, {
    transact: (partition: string, operations: readonly Operation[], now: number) => {
      calls.push({ partition, operations })
      return transact(partition, operations, now)
    },
  })
  return { calls, stop: () => Object.assign(store, { transact }) }
}
