import { describe, expect, test } from 'vitest'
import { ASK_NOBODY, agentOf, shop } from './shop.ts'

const OUT_OF_ORDER = { status: 409, body: { error: 'out_of_order', retryable: false } }

describe('out of order', () => {
  test('m5 before m3, m9a before m5, GET before m5: 409, and nothing is ended', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    const m9a = await agent.m9a(m5)
    for (const early of [m5, m9a]) expect(await agent.post(early)).toMatchObject(OUT_OF_ORDER)
    expect(await agent.get()).toMatchObject(OUT_OF_ORDER)
    expect((await agent.post(agent.m3)).status).toBe(200)
    expect(await agent.post(m9a)).toMatchObject(OUT_OF_ORDER)
    expect(await agent.get(60)).toMatchObject(OUT_OF_ORDER)
    expect((await agent.post(m5)).status).toBe(200)
    expect((await agent.post(m9a)).status).toBe(200)
  })

  test('in a flight: what is not due stops it, and what came before it holds (ATH-3.6)', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    const { status, body } = await agent.post([agent.m3, await agent.m9a(m5), m5])
    expect(status).toBe(409)
    expect(body).toMatchObject([{ type: 'identity_result' }, { error: 'out_of_order' }])
    expect(body).toHaveLength(2)
    expect((await agent.post([m5, await agent.m9a(m5)])).status).toBe(200)
  })

  test('m9a while the user is asked is not due', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5])
    expect(await agent.post(await agent.m9a(m5))).toMatchObject(OUT_OF_ORDER)
    expect((await agent.post(m5)).status).toBe(202)
  })

  test('a flight that is empty, or holds what is no message', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    expect(await agent.post([])).toMatchObject({ status: 400, body: { error: 'malformed_message' } })
    for (const odd of [[null], [[agent.m3]], ['m3'], [1]]) {
      expect(await agent.post(odd)).toMatchObject({ status: 400, body: [{ error: 'malformed_message' }] })
    }
    expect((await agent.post([agent.m3])).body).toMatchObject([{ success: true }])
  })
})

describe('too late (ATH-3.7)', () => {
  test('before m3: 404 after 60 s', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    at.clock.now += 59
    expect(await agent.get()).toMatchObject(OUT_OF_ORDER)
    at.clock.now += 1
    for (const answer of [await agent.post(agent.m3), await agent.get()]) {
      expect(answer).toMatchObject({ status: 404, body: { error: 'handshake_unknown' } })
    }
  })

  test('after m3: 408 for ten minutes, then 404; no message advances it', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    at.clock.now += 60
    const m5 = await agent.m5()
    for (const answer of [await agent.post(m5), await agent.get()]) {
      expect(answer).toMatchObject({ status: 408, body: { error: 'handshake_timeout', retryable: true } })
    }
    at.clock.now += 599
    expect((await agent.post(m5)).status).toBe(408)
    at.clock.now += 1
    expect((await agent.post(m5)).status).toBe(404)
  })

  test('every step counts anew, a refused m9a does not', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    at.clock.now += 50
    await agent.post(agent.m3)
    at.clock.now += 50
    const m5 = await agent.m5()
    expect((await agent.post(m5)).status).toBe(200)
    at.clock.now += 50
    const bad = { ...(await agent.m9a(m5)), signature: 'A'.repeat(86) }
    expect((await agent.post(bad)).status).toBe(401)
    at.clock.now += 10
    expect((await agent.post(await agent.m9a(m5))).status).toBe(408)
  })

  test('waiting for the user is excepted; what nobody fetches for 600 s is not (ATH-3.6)', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    await agent.post([agent.m3, await agent.m5()])
    const [question] = await at.wallet.pending()
    if (question === undefined) throw new Error('no question')
    at.clock.now += 299
    expect((await agent.get()).status).toBe(202)
    await at.wallet.post(question, await at.wallet.respond(question))
    at.clock.now += 600
    expect(await agent.get()).toMatchObject({ status: 408, body: [{ error: 'handshake_timeout' }] })
  })

  test('fetched within 600 s of the answer it goes on, for 60 s', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5])
    const [question] = await at.wallet.pending()
    if (question === undefined) throw new Error('no question')
    await at.wallet.post(question, await at.wallet.respond(question))
    at.clock.now += 599
    expect((await agent.get()).status).toBe(200)
    at.clock.now += 59
    expect((await agent.post(await agent.m9a(m5))).status).toBe(200)
  })

  test('an unknown handshake is 404, whatever its id looks like', async () => {
    const at = await shop()
    for (const id of ['', 'x', 'A'.repeat(22), '../inbox', '%00', 'a/b', 'A'.repeat(5000)]) {
      const url = `/ath/handshake/${encodeURI(id)}`
      if (new URL(url, 'https://x').pathname !== url) continue
      for (const answer of [
        await at.call('POST', url, { type: 'identity_proof' }),
        await at.call('GET', url),
      ]) {
        expect(answer).toMatchObject({ status: 404, body: { error: 'handshake_unknown' } })
      }
    }
  })
})
