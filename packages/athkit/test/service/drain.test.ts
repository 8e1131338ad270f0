import { describe, expect, test } from 'vitest'
import { createHealth } from '../../src/http/index.ts'
import { memory } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { sealedShop } from './sealed/session.ts'
import { ASK_NOBODY, agentOf, HANDSHAKE, shop } from './shop.ts'

describe('a process that is being stopped', () => {
  test('refuses new handshakes with 503 and Retry-After, and goes on with those that are open', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    await at.service.drain({ withinSeconds: 0 })
    const refused = await at.call('POST', HANDSHAKE, agent.m1)
    expect([refused.status, refused.body.error, refused.headers.get('retry-after')]).toEqual([
      503,
      'store_unavailable',
      '5',
    ])
    const m5 = await agent.m5()
    expect((await agent.post([agent.m3, m5, await agent.m9a(m5)])).status).toBe(200)
  })

  test('answers long-polls at once, of an agent and of a wallet, and ends streams of questions', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    await agent.post([agent.m3, await agent.m5()])
    const [question] = await at.wallet.pending()
    const outcome = agent.get(60)
    const stream = await at.raw('GET', '/ath/inbox', null, {
      headers: { ...(await at.wallet.bearer()), accept: 'text/event-stream' },
    })
    const text = stream.text()
    const began = Date.now()
    expect(await at.service.drain({ withinSeconds: 30 })).toEqual({ cut: 0 })
    expect((await outcome).status).toBe(202)
    expect(await text).toContain(question?.request_id)
    const empty = await at.call('GET', '/ath/inbox', undefined, {
      headers: { ...(await at.wallet.bearer()), prefer: 'wait=60' },
    })
    expect([empty.status, Date.now() - began < 20_000]).toEqual([200, true])
  }, 30_000)

  test('waits for a request that is open', async () => {
    let finish = (): void => undefined
    const held = new Promise<void>((resolve) => {
      finish = resolve
    })
    const { at, client } = await sealedShop(async () => {
      await held
      return new Response('done')
    })
    const answer = client.send('GET', '/')
    const drained = at.service.drain({ withinSeconds: 30 })
    finish()
    expect((await answer).text).toBe('done')
    expect(await drained).toEqual({ cut: 0 })
  })

  test('but no longer than it was told to: a stream that goes on is cut, and does not look whole', async () => {
    const { at, client } = await sealedShop(
      () => new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array(10)) })),
    )
    const { header, bytes } = await client.seal('GET', '/')
    const response = await client.post(bytes)
    const outcome = client.outcome(response, header)
    expect(await at.service.drain({ withinSeconds: 0.05 })).toEqual({ cut: 1 })
    await expect(outcome).rejects.toThrow()
  })

  test('leaves no entry of the audit without its place', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    await at.service.drain()
    let waiting = 0
    for await (const _ of at.store.outbox()) waiting++
    expect(waiting).toBe(0)
  })
})

describe('health', () => {
  const get = async (health: ReturnType<typeof createHealth>, path: string, method = 'GET') => {
    const response = await health(new Request(`https://x.example${path}`, { method }))
    if (response === undefined) return undefined
    return [response.status, method === 'GET' && (await response.json()).status]
  }

  test('says that the process runs, that its store answers, and that it is being stopped', async () => {
    const at = await shop()
    const health = createHealth(at.service)
    expect(await get(health, '/healthz')).toEqual([200, 'ok'])
    expect(await get(health, '/readyz')).toEqual([200, 'ready'])
    expect(await get(health, '/elsewhere')).toBeUndefined()
    expect(await get(health, '/readyz', 'POST')).toEqual([405, false])
    await at.service.drain()
    expect(await get(health, '/healthz')).toEqual([200, 'ok'])
    expect(await get(health, '/readyz')).toEqual([503, 'draining'])
  })

  test('is not ready while the store fails, or does not answer in time', async () => {
    const store = memory()
    let mode: 'fails' | 'stalls' | 'answers' = 'answers'
    const shaky: Store = {
      ...store,
      transact: (partition, operations, now) => {
        if (mode === 'fails') return Promise.reject(new Error('out of reach'))
        if (mode === 'stalls') return new Promise(() => undefined)
        return store.transact(partition, operations, now)
      },
    }
    const health = createHealth((await shop({ store: shaky })).service, { withinMs: 20 })
    for (const bad of ['fails', 'stalls'] as const) {
      mode = bad
      expect(await get(health, '/readyz')).toEqual([503, 'store_unavailable'])
      expect(await get(health, '/healthz')).toEqual([200, 'ok'])
    }
    mode = 'answers'
    expect(await get(health, '/readyz')).toEqual([200, 'ready'])
  })
})
