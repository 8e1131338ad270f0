import { describe, expect, test } from 'vitest'
import { createAgent, type Vault } from '../../src/agent/index.ts'
import type { Fetch } from '../../src/client/index.ts'
import { createResolver } from '../../src/did/resolver.ts'
import { vaultInMemory } from './vault-in-memory.ts'
import { NOW, ORIGIN, world } from './world.ts'

/** Everything that an agent waits for passes here; at the one of this number the caller gives up. */
async function scene(at: number, then: 'hangs' | 'goes on') {
  const made = await world({ polls: 2 })
  const controller = new AbortController()
  const reason = new Error('enough')
  let passed = 0
  let after = 0
  const gate = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    if (controller.signal.aborted && name !== 'DELETE') after++
    if (passed++ === at) {
      controller.abort(reason)
      if (then === 'hangs') await new Promise(() => undefined)
    }
    return work()
  }
  const { identity } = made
  const signer = {
    publicKey: identity.signer.publicKey,
    sign: (data: Uint8Array) => gate('sign', () => identity.signer.sign(data)),
  }
  const kept = await vaultInMemory(identity)
  const vault: Vault = {
    identity: kept.identity,
    entries: (kind) => gate('entries', () => kept.entries(kind)),
    update: (...change) => gate('update', () => kept.update(...change)),
  }
  const resolver = createResolver({ now: () => NOW })
  const fetch: Fetch = (url, init) => {
    const isLast = made.fake.sessions.size > 0 && controller.signal.aborted
    return gate(isLast ? 'DELETE' : 'fetch', () => made.fake.fetch(url, init))
  }
  const agent = createAgent({
    identity: { did: identity.did, signer },
    vault,
    resolver: { resolve: (did, options) => gate('resolve', () => resolver.resolve(did, options)) },
    fetch,
    now: () => NOW,
    sleep: (_, signal) => gate('sleep', () => signal?.throwIfAborted()),
  })
  const { signal } = controller
  const connect = () =>
    agent.connect(ORIGIN, {
      authorization: made.authorization,
      scopes: ['goods:read'],
      keep: true,
      signal,
    })
  return { ...made, connect, reason, passed: () => passed, after: () => after }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 10))

describe('the caller’s signal, at every await of a handshake', async () => {
  const whole = await scene(Number.POSITIVE_INFINITY, 'goes on')
  await whole.connect()
  const points = whole.passed()

  test('there are as many as there should be', () => {
    expect(points).toBeGreaterThan(12)
  })

  test.each(['hangs', 'goes on'] as const)(
    'what it waits for %s: the reason, at once, and nothing more',
    async (then) => {
      for (let at = 0; at < points; at++) {
        const { connect, reason, fake, after, identity } = await scene(at, then)
        await expect(connect(), `at ${at}`).rejects.toBe(reason)
        const signed = identity.signed()
        await settle()
        // Whatever was under way may come to its end; nothing else is signed, and no session is left over.
        expect(after(), `at ${at}`).toBeLessThanOrEqual(3)
        expect(identity.signed() - signed, `at ${at}`).toBe(0)
        if (then === 'goes on')
          for (const { ended, inner } of fake.sessions.values())
            expect([ended, inner.length], `at ${at}`).not.toEqual([false, 1])
      }
    },
  )
})

describe('the caller’s signal, at every await of a request', () => {
  test('a body that never comes to its end, a turn, a vault, the network', async () => {
    const made = await world({ agent: { concurrency: 1 } })
    const session = await made.connect()
    const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) })
    const body = new Request('https://shop.example/', {
      method: 'POST',
      body: never,
      duplex: 'half',
    } as RequestInit)
    const aborting = (work: (signal: AbortSignal) => Promise<unknown>) => {
      const controller = new AbortController()
      setTimeout(() => controller.abort(new Error('enough')), 2)
      return expect(work(controller.signal)).rejects.toThrow('enough')
    }
    await aborting((signal) => session.fetch(body, { signal }))
    made.fake.set({ intercept: () => new Promise<never>(() => undefined) })
    await aborting((signal) => session.fetch('/', { signal }))
    // The one place is taken: this one waits for its turn.
    const holder = new AbortController()
    const holding = session.fetch('/', { signal: holder.signal })
    await aborting((signal) => session.fetch('/', { signal }))
    for (const work of [session.rotate, session.renew]) await aborting((signal) => work(signal))
    await aborting((signal) => session.stepUp({ scopes: ['order:create', 'user:profile'], signal }))
    holder.abort(new Error('over'))
    await expect(holding).rejects.toThrow('over')
    await aborting((signal) => session.close(signal))
  })
})
