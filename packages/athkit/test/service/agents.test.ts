import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createOperator } from '../../src/service/index.ts'
import { sqlite } from '../../src/store/sqlite.ts'
import { otherNode, seed } from './sealed/session.ts'
import { ASK_NOBODY, agentOf, NOW, party, type Shop, shop } from './shop.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const APPROVED_ONLY = { ...ASK_NOBODY, restrictions: {}, policy: { approval: 'required' } as const }
const REVOKED = { outer: 200, status: 401, error: 'grant_revoked', ath: true }

/** How far a handshake comes: the first status that is not a success, or 200. */
async function shakeHands(at: Shop, who = at.agent): Promise<number> {
  const agent = await agentOf(at, { agent: who })
  const m4 = await agent.post(agent.m3)
  if (m4.status !== 200) return m4.status
  const m5 = await agent.m5()
  const m8 = await agent.post(m5)
  if (m8.status !== 200) return m8.status
  return (await agent.post(await agent.m9a(m5))).status
}

describe('approval by the operator', () => {
  test('an unknown agent waits for it, and is let in once it has it', async () => {
    const at = await shop(APPROVED_ONLY)
    expect(await shakeHands(at)).toBe(403)
    expect(await at.service.agents.list()).toEqual([
      { did: at.agent.did, state: 'pending', since: NOW, info: {} },
    ])
    expect(await at.service.agents.list('approved')).toEqual([])
    await at.service.agents.approve(at.agent.did, 'known to us')
    expect(await shakeHands(at)).toBe(200)
    expect(await at.service.agents.list()).toMatchObject([
      { did: at.agent.did, state: 'approved', by: at.server.did, note: 'known to us' },
    ])
    const told = at.events.flatMap((event) => (event.type === 'agent_changed' ? [event.state] : []))
    expect(told).toEqual(['pending', 'approved'])
  })

  test('may come before the agent does; where policy asks for none, nobody waits', async () => {
    const at = await shop(APPROVED_ONLY)
    await at.service.agents.approve(at.agent.did)
    expect(await shakeHands(at)).toBe(200)
    const open = await shop({ ...ASK_NOBODY, restrictions: {} })
    expect(await shakeHands(open)).toBe(200)
    expect(await open.service.agents.list()).toEqual([])
  })

  test('a deny of policy is not lifted by it', async () => {
    const at = await shop({ ...APPROVED_ONLY, policy: { approval: 'required', others: { allow: false } } })
    await at.service.agents.approve(at.agent.did)
    expect(await shakeHands(at)).toBe(403)
    const stranger = await party()
    expect(await shakeHands(at, stranger)).toBe(403)
    expect((await at.service.agents.list('pending')).length, 'it is not waited for').toBe(0)
  })

  test('strangers with ever new keys fill nobody’s list', async () => {
    const at = await shop(APPROVED_ONLY)
    const strangers = await Promise.all(Array.from({ length: 103 }, () => party('EdDSA')))
    for (const stranger of strangers) expect(await shakeHands(at, stranger)).toBe(403)
    expect(await at.service.agents.list()).toHaveLength(100)
    at.clock.now += 7 * 86_400 + 1
    expect(await at.service.agents.list()).toEqual([])
  })

  test('is about DIDs', async () => {
    const { agents } = (await shop()).service
    await expect(agents.approve('shopping assistant')).rejects.toThrow('is no DID')
    await expect(agents.suspend('did:ath:x#key', 'x')).rejects.toThrow('is no DID')
    await expect(agents.find('')).rejects.toThrow('is no DID')
  })
})

describe('a suspension', () => {
  test.each([
    ['the user would be asked', {}],
    ['nobody would be asked', ASK_NOBODY],
  ])('is heard when it comes while others are asked about the agent, and %s', async (_, more) => {
    let meanwhile = async () => {}
    const clientInfo = async () => {
      await meanwhile()
      return { name: 'Assistant' }
    }
    const at = await shop({ ...more, clientInfo })
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    meanwhile = async () => void (await at.service.agents.suspend(at.agent.did, 'seen doing harm'))
    const { body } = await agent.post([agent.m3, m5, await agent.m9a(m5)])
    expect(body).toMatchObject([
      { type: 'identity_result', success: false, error: { error: 'policy_denied' } },
    ])
    expect(await at.wallet.pending()).toEqual([])
  })

  test('ends the agent’s grants at once, on every node, from outside the service', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'athkit-agents-'))
    const file = join(folder, 'ath.db')
    const stores = [await sqlite(file), await sqlite(file), await sqlite(file)] as const
    closing.push(
      () => rmSync(folder, { recursive: true, force: true }),
      ...stores.map((store) => () => store.close()),
    )
    const at = await shop({ ...ASK_NOBODY, restrictions: {} }, { store: stores[0] })
    at.service.setApplication(() => new Response('ok'))
    const other = otherNode({ ...at, store: stores[1] })
    const [client, second] = [await seed(at), await seed(at, { grant: { userDid: 'did:ath:another' } })]
    const untouched = await seed(at, { grant: { clientDid: 'did:ath:bot' } })
    for (const each of [client, second, untouched])
      expect(await each.send('GET', '/', { via: other })).toMatchObject({ status: 200 })

    const operator = createOperator({ store: stores[2], by: 'alice', now: () => at.clock.now })
    expect(await operator.agents.suspend(at.agent.did, 'it ordered at night')).toBe(2)
    expect(await client.send('GET', '/', { via: other })).toMatchObject(REVOKED)
    expect(await second.send('GET', '/')).toMatchObject(REVOKED)
    expect(await untouched.send('GET', '/', { via: other })).toMatchObject({ status: 200 })
    const refused = await agentOf(at)
    expect(await refused.post(refused.m3), 'at message 3').toMatchObject({
      status: 403,
      body: { success: false },
    })
    expect(await other.service.agents.find(at.agent.did)).toMatchObject({
      state: 'suspended',
      by: 'alice',
      note: 'it ordered at night',
    })

    await operator.agents.approve(at.agent.did)
    expect(await client.send('GET', '/'), 'no grant comes back').toMatchObject(REVOKED)
    expect(await shakeHands(at)).toBe(200)
  })

  test('is seen by a handshake under way, at whatever step it is', async () => {
    const at = await shop({ ...ASK_NOBODY, restrictions: {} })
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post(agent.m3)
    expect((await agent.post(m5)).status).toBe(200)
    await at.service.agents.suspend(at.agent.did, 'x')
    const refused = await agent.post(await agent.m9a(m5))
    expect([refused.status, refused.body.error]).toEqual([403, 'policy_denied'])
    expect((await at.service.grantsOf(at.user.did)).grants).toEqual([])
  })

  test('that comes after m9b was made and before its grant is committed keeps it from being', async () => {
    const at = await shop({ ...ASK_NOBODY, restrictions: {} })
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post(agent.m3)
    await agent.post(m5)
    const { transact } = at.store
    Object.assign(at.store, {
      transact: async (...given: Parameters<typeof transact>) => {
        // Where the commit looks for a suspension.
        if (given[0] === `client:${at.agent.did}` && given[1].some(({ op }) => op === 'put')) {
          Object.assign(at.store, { transact })
          await at.service.agents.suspend(at.agent.did, 'x')
        }
        return transact(...given)
      },
    })
    const refused = await agent.post(await agent.m9a(m5))
    expect([refused.status, refused.body.error]).toEqual([403, 'policy_denied'])
    expect((await at.service.grantsOf(at.user.did)).grants).toEqual([])
  })

  test('an approval that came after a suspension broke off is not undone by finishing it', async () => {
    const at = await shop({ ...ASK_NOBODY, restrictions: {} })
    at.service.setApplication(() => new Response('ok'))
    const { transact } = at.store
    let left = 4
    Object.assign(at.store, {
      transact: (...given: Parameters<typeof transact>) =>
        left-- > 0 ? transact(...given) : Promise.reject(new Error('dead')),
    })
    await expect(at.service.agents.suspend(at.agent.did, 'x')).rejects.toThrow('dead')
    Object.assign(at.store, { transact })
    expect(await at.service.agents.find(at.agent.did)).toMatchObject({ state: 'suspended' })
    await at.service.agents.approve(at.agent.did)
    const client = await seed(at)
    at.clock.now += 10
    expect(await at.service.finishRevocations()).toBe(1)
    expect(await client.send('GET', '/')).toMatchObject({ status: 200 })
  })
})
