import { describe, expect, test } from 'vitest'
import type { Json } from '../../src/crypto/json.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import * as h from '../../src/handshake/index.ts'
import { type Agent, ASK_NOBODY, agentOf, HANDSHAKE, ORIGIN, open, shop } from './shop.ts'

const TWENTY = Array.from({ length: 20 })

/** Twenty copies of one request at once, spread over nodes; every one has to get the same answer. */
async function twentyTimes(send: (index: number) => Promise<{ status: number; body: unknown }>) {
  const answers = await Promise.all(TWENTY.map((_, index) => send(index)))
  const [first] = answers
  for (const answer of answers)
    expect(answer).toMatchObject({ status: first?.status, body: first?.body as object })
  return first as { status: number; body: never }
}

describe('twenty identical messages at once (ATH-3.5)', () => {
  test.each([1, 2])('m3, m5 and m9a have one effect and one answer, on %i node(s)', async (nodes) => {
    const at = await shop(ASK_NOBODY)
    const all = [at, ...(nodes === 2 ? [open(at, ASK_NOBODY)] : [])]
    const agent = await agentOf(at)
    const everywhere = (body: Json) =>
      twentyTimes((index) => (all[index % nodes] as typeof at).call('POST', agent.url, body))
    expect((await everywhere(agent.m3)).status).toBe(200)
    const m5 = await agent.m5()
    expect((await everywhere(m5)).status).toBe(200)
    expect((await everywhere(await agent.m9a(m5))).status).toBe(200)
    const issued = all.flatMap(({ events }) => events.filter(({ type }) => type === 'token_issued'))
    expect(issued).toHaveLength(1)
  })

  test.each([1, 2])('a whole flight, on %i node(s)', async (nodes) => {
    const at = await shop(ASK_NOBODY)
    const all = [at, ...(nodes === 2 ? [open(at, ASK_NOBODY)] : [])]
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    const flight = [agent.m3, m5, await agent.m9a(m5)]
    const { status } = await twentyTimes((index) =>
      (all[index % nodes] as typeof at).call('POST', agent.url, flight),
    )
    expect(status).toBe(200)
    expect(all.flatMap(({ events }) => events.filter(({ type }) => type === 'token_issued'))).toHaveLength(1)
  })

  test('m5 asks the user once', async () => {
    const at = await shop()
    const other = open(at)
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    const m5 = await agent.m5()
    const { status } = await twentyTimes((index) => (index % 2 ? at : other).call('POST', agent.url, m5))
    expect(status).toBe(202)
    expect(await at.wallet.pending()).toHaveLength(1)
  })

  test('m7 counts once and is acknowledged each time', async () => {
    const { at, agent, question } = await asked()
    const m7 = await at.wallet.respond(question)
    expect((await twentyTimes(() => at.wallet.post(question, m7))).status).toBe(200)
    expect(at.events.filter(({ type }) => type === 'confirmation_answered')).toHaveLength(1)
    const { body } = await twentyTimes(() => agent.get())
    // m5 came in an array, so its outcome does too (ATH-3.6).
    expect(body).toMatchObject([{ scopes_granted: ['goods:read', 'order:create'] }])
  })

  test('m1 begins one handshake; the others are replays', async () => {
    const at = await shop()
    const m1 = await h.createHandshakeRequest({
      client: at.agent,
      audience: ORIGIN,
      now: at.clock.now,
      random: randomBytes(16),
    })
    const answers = await Promise.all(TWENTY.map(() => at.call('POST', HANDSHAKE, m1)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.error === 'handshake_replayed')).toHaveLength(19)
  })
})

describe('receipts', () => {
  test('are given before skew and expiry are judged, with members in any order (ATH-3.5)', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m4 = await agent.post(agent.m3)
    at.clock.now += 400
    const { type, signature, timestamp } = agent.m3
    expect((await agent.post({ timestamp, signature, type })).body).toEqual(m4.body)
    expect((await agent.post({ type, signature, timestamp: timestamp + 1 })).body).toMatchObject({
      code: 408,
    })
  })

  test('another message in a step that was taken is 409 and ends nothing', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    const other = await agent.post({ ...agent.m3, timestamp: agent.m3.timestamp + 1 })
    expect(other).toMatchObject({ status: 409, body: { error: 'out_of_order' } })
    const m5 = await agent.m5()
    expect((await agent.post(m5)).status).toBe(200)
    expect(await agent.post(await agent.m5())).toMatchObject({ status: 409, body: { error: 'out_of_order' } })
    const m9a = await agent.m9a(m5)
    expect((await agent.post(m9a)).status).toBe(200)
    expect((await agent.post({ ...m9a, x: 1 })).status).toBe(409)
    expect((await agent.post(agent.m1)).status).toBe(409)
    expect((await agent.post(agent.m3)).status).toBe(200)
  })

  test('the one that holds the token is gone when the session lapses; the message is 409 then', async () => {
    const at = await shop({ ...ASK_NOBODY, timeouts: { provisional: 600 } })
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    const m9a = await agent.m9a(m5)
    const done = await agent.post([agent.m3, m5, m9a])
    at.clock.now += 599
    expect((await agent.post(m9a)).body).toEqual(done.body[2])
    expect((await agent.get()).body).toEqual([done.body[1], done.body[2]])
    at.clock.now += 1
    for (const answer of [await agent.post(m9a), await agent.get()]) {
      expect(answer).toMatchObject({ status: 409 })
    }
    expect((await agent.post(m5)).body).toEqual(done.body[1])
  })

  test('a refusal that ended the handshake is one; all else is 409 (ATH-3.5)', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    const forged = { ...agent.m3, signature: 'A'.repeat(86) }
    const refused = await agent.post(forged)
    expect(refused).toMatchObject({
      status: 401,
      body: { type: 'identity_result', success: false, error: { error: 'signature_invalid' } },
    })
    at.clock.now += 5
    expect(await agent.post(forged)).toMatchObject({ status: 401, body: refused.body })
    expect((await agent.post(agent.m3)).status).toBe(409)
    expect((await agent.post({ type: 'nonsense' })).status).toBe(409)
  })

  test('a refused m9a ends nothing, and its copy gets the same answer (ATH-9)', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5])
    const good = await agent.m9a(m5)
    const bad = { ...good, signature: 'A'.repeat(86) }
    const refused = await agent.post(bad)
    expect(refused).toMatchObject({ status: 401, body: { error: 'signature_invalid' } })
    at.clock.now += 2
    expect((await agent.post(bad)).body).toEqual(refused.body)
    expect((await agent.post(good)).status).toBe(200)
    expect((await agent.post(bad)).body).toEqual(refused.body)
  })
})

describe('m1 (ATH-6.1.4)', () => {
  const begin = (at: Awaited<ReturnType<typeof shop>>, m1: Json) => at.call('POST', HANDSHAKE, m1)

  test('accepted on two nodes at once is used once: the second m3 fails', async () => {
    const at = await shop()
    const other = open(at)
    const agent = await agentOf(at)
    const again = await begin(other, agent.m1)
    expect(again.status).toBe(201)
    const m3 = await h.createIdentityProof({
      client: at.agent,
      response: again.body as unknown as h.HandshakeResponse,
      now: at.clock.now,
    })
    expect((await agent.post(agent.m3)).status).toBe(200)
    at.clock.now += 59
    expect(await other.call('POST', again.headers.get('location') ?? '', m3)).toMatchObject({
      status: 401,
      body: { success: false, error: { error: 'handshake_replayed' } },
    })
  })

  test('an m3 that is not signed does not use up the nonce', async () => {
    const at = await shop()
    const other = open(at)
    const agent = await agentOf(at)
    const stolen = await begin(other, agent.m1)
    await other.call('POST', stolen.headers.get('location') ?? '', agent.m3)
    expect((await agent.post(agent.m3)).status).toBe(200)
  })

  test('that was refused may be sent again, and is remembered until its timestamp + 300 s', async () => {
    let isOpen = false
    const at = await shop({
      resolver: {
        resolve: async (did) => {
          if (!isOpen) throw new Error('the registry is out of reach')
          return { document: await documentOf(at, did) }
        },
      },
    })
    const m1 = await m1Of(at)
    expect((await begin(at, m1)).status).toBe(500)
    isOpen = true
    expect((await begin(at, m1)).status).toBe(201)
    at.clock.now += 300
    expect((await begin(at, m1)).body.error).toBe('handshake_replayed')
    at.clock.now += 1
    expect((await begin(at, m1)).body.error).toBe('timestamp_skew')
  })
})

async function asked() {
  const at = await shop()
  const agent = await agentOf(at)
  await agent.post([agent.m3, await agent.m5()])
  const [question] = await at.wallet.pending()
  if (question === undefined) throw new Error('no question')
  return { at, agent: agent as Agent, question }
}

const m1Of = (at: Awaited<ReturnType<typeof shop>>) =>
  h.createHandshakeRequest({ client: at.agent, audience: ORIGIN, now: at.clock.now, random: randomBytes(16) })

async function documentOf(at: Awaited<ReturnType<typeof shop>>, did: string) {
  const { documentOfKey } = await import('../../src/did/document.ts')
  return documentOfKey(did, at.agent.signer.publicKey)
}
