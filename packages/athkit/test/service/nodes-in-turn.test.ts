import { describe, expect, test } from 'vitest'
import { ASK_NOBODY, agentOf, open, type Shop, shop } from './shop.ts'

/** Each message comes to a node that has not seen the handshake before, so all it knows is what the store says. */
function inTurn(at: Shop, more: Parameters<typeof open>[1]) {
  const node = () => open(at, more)
  return {
    node,
    post: (url: string, message: Parameters<Shop['call']>[2]) => node().call('POST', url, message),
  }
}

describe.each([
  ['the user is asked', true],
  ['nobody is asked', false],
])('a handshake in which every message comes to another node, and %s', (_, isAsked) => {
  test.each([undefined, 1])('is answered as on one, with max_uses %s', async (maxUses) => {
    const more = isAsked ? {} : ASK_NOBODY
    const at = await shop(more)
    const { node, post } = inTurn(at, more)
    const agent = await agentOf(at)
    const m4 = await post(agent.url, agent.m3)
    expect(m4.status).toBe(200)
    const credential = await agent.credential(maxUses === undefined ? {} : { maxUses })
    const m5 = await agent.m5({ credential })
    let m8 = await post(agent.url, m5)
    if (isAsked) {
      expect(m8.status).toBe(202)
      const { wallet } = node()
      const [question] = await wallet.pending()
      if (question === undefined) throw new Error('nobody was asked')
      expect((await wallet.post(question, await wallet.respond(question))).status).toBe(200)
      m8 = await node().call('GET', agent.url)
    }
    expect(m8.status).toBe(200)
    const m9a = await agent.m9a(m5)
    const [one, two] = await Promise.all([post(agent.url, m9a), post(agent.url, m9a)])
    expect([one.status, one.body]).toEqual([200, two.body])
    for (const [message, answer] of [
      [agent.m3, m4],
      [m5, m8],
      [m9a, one],
    ] as const)
      expect((await post(agent.url, message)).body).toEqual(answer.body)

    const again = await agentOf(node())
    await again.post(again.m3)
    const { status } = await again.post(await again.m5({ credential }))
    expect(status).toBe(maxUses === 1 ? 401 : isAsked ? 202 : 200)
    const { body } = await node().call('GET', '/ath/grants', undefined, { headers: await at.wallet.bearer() })
    expect(body.grants).toHaveLength(1)
    expect(body.grants).toMatchObject([isAsked ? { request_id: expect.any(String) } : {}])
  })
})
