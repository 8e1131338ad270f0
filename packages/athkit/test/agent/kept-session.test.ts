import { describe, expect, test } from 'vitest'
import { type AgentOptions, createAgent } from '../../src/agent/index.ts'
import { refuse } from '../../src/errors.ts'
import { refused, type Seen } from './fake-server.ts'
import { vaultInMemory } from './vault-in-memory.ts'
import { NOW, ORIGIN, refusal, type WorldOptions, world } from './world.ts'

const isSealed = ({ path }: Seen) => path === '/ath/sealed'

/** A session that is kept, and what another run of the same agent goes on with. */
async function kept(options: WorldOptions = {}) {
  const made = await world(options)
  const vault = await vaultInMemory(made.identity)
  const run = (more: Partial<AgentOptions> = {}) =>
    createAgent({
      identity: made.identity,
      vault,
      fetch: made.fake.fetch,
      now: () => made.clock.now,
      sleep: async () => undefined,
      ...more,
    })
  const { authorization } = made
  const session = await run().connect(ORIGIN, {
    authorization,
    scopes: ['goods:read', 'order:create'],
    keep: true,
    ...options.wish,
  })
  const [at] = [...made.fake.sessions.values()]
  if (at === undefined) throw new Error('no session')
  const resume = async (more: Partial<AgentOptions> = {}) => {
    const resumed = await run(more).resume(ORIGIN)
    if (resumed === undefined) throw new Error('nothing is kept')
    return resumed
  }
  return { ...made, vault, run, session, at, resume }
}

const places = (inner: readonly { epoch: number; seq: number }[]) =>
  inner.map(({ epoch, seq }) => `${epoch}:${seq}`)

describe('a session in the vault', () => {
  test('another run goes on with it, and no handshake is made', async () => {
    const { session, resume, fake, at } = await kept()
    await session.fetch('/one')
    const resumed = await resume()
    expect(resumed.grant).toEqual(session.grant)
    expect(await (await resumed.fetch('/two')).text()).toBe('hello')
    expect(fake.handshakes.size).toBe(1)
    expect(at.inner.map(({ path }) => path)).toEqual(['/one', '/two'])
  })

  test('no number is used twice, however many go on with it at a time (ATH-7.6)', async () => {
    const { session, resume, at } = await kept()
    const runs = [session, await resume(), await resume(), await resume()]
    await Promise.all(runs.flatMap((one) => Array.from({ length: 100 }, () => one.fetch('/'))))
    expect(new Set(places(at.inner)).size).toBe(400)
    expect(at.inner.length).toBe(400)
  })

  test('a number is set aside before it is used: a run that dies leaves none to be used again', async () => {
    const { vault, resume, at } = await kept()
    // Each of these runs ends here, without a word.
    for (let i = 0; i < 3; i++) await (await resume()).fetch('/')
    expect(at.inner.map(({ seq }) => seq)).toEqual([0, 64, 128])
    const [entry] = [...(await vault.entries('session')).values()]
    expect(entry).toMatchObject({ nextSeq: 192 })
  })

  test('replayed: it goes on at next_seq, and no other run below it', async () => {
    let times = 1
    const { session, resume, at } = await kept({
      app: ({ seq }) => {
        if (times-- > 0) throw refuse('replayed', 'x', { nextSeq: 5000 })
        return { status: 200, body: String(seq) }
      },
    })
    expect(await (await session.fetch('/')).text()).toBe('5000')
    expect(await (await (await resume()).fetch('/')).text()).toBe('5064')
    expect(new Set(places(at.inner)).size).toBe(at.inner.length)
  })

  test('new keys are in the vault before they are used; other runs go on under them', async () => {
    const { session, resume, at, fake } = await kept()
    const other = await resume()
    await other.fetch('/')
    await session.rotate()
    await session.fetch('/')
    at.epochs.delete(0)
    expect((await other.fetch('/')).status).toBe(200)
    expect((await (await resume()).fetch('/')).status).toBe(200)
    expect(at.inner.slice(-2).map(({ epoch }) => epoch)).toEqual([1, 1])
    expect(new Set(places(at.inner)).size).toBe(at.inner.length)
    expect(fake.handshakes.size).toBe(1)
  })

  test('a run that is behind does not begin the old keys’ numbers anew while the server still takes them', async () => {
    const { session, resume, at } = await kept()
    const other = await resume()
    for (let i = 0; i < 3; i++) await session.fetch('/')
    await session.rotate()
    await other.fetch('/')
    expect(at.epochs.has(0)).toBe(true)
    expect(at.inner.at(-1)).toMatchObject({ epoch: 1 })
    expect(new Set(places(at.inner)).size).toBe(at.inner.length)
  })

  test('a renewed token is the next run’s', async () => {
    const { session, resume, clock, at } = await kept({ tokenTtl: 600 })
    clock.now += 550
    await session.renew()
    await (await resume()).fetch('/')
    expect(at.inner.filter(({ path }) => path === '/ath/session/token').length).toBe(1)
  })

  test('a session that was made anew is everybody’s', async () => {
    let lost = 0
    const { session, resume, fake } = await kept({
      intercept: (request, answer) =>
        isSealed(request) && lost-- > 0 ? refused(refuse('session_unknown', 'x'), NOW) : answer(),
    })
    const other = await resume()
    lost = 1
    await session.fetch('/')
    expect(fake.sessions.size).toBe(2)
    expect((await other.fetch('/')).status).toBe(200)
    // Not twice within 300 s, whichever run it is (ATH-7.11).
    for (const one of [other, await resume()]) {
      lost = 1
      expect(await refusal(one.fetch('/'))).toBe('session_unknown')
    }
    expect(fake.sessions.size).toBe(2)
  })

  test('closed, it is gone for every run', async () => {
    const { session, run, resume, at, vault } = await kept()
    const other = await resume()
    await session.close()
    expect(at.ended).toBe(true)
    expect((await vault.entries('session')).size).toBe(0)
    expect(await run().resume(ORIGIN)).toBeUndefined()
    expect(await refusal(other.fetch('/'))).toBe('session_closed')
  })

  test('a run that is behind closes the session as it stands', async () => {
    const { session, resume, at, vault } = await kept()
    const other = await resume()
    await session.rotate()
    at.epochs.delete(0)
    await other.close()
    expect(at.ended).toBe(true)
    expect((await vault.entries('session')).size).toBe(0)
  })

  test('one that takes its place in the vault ends it; who went on with it goes on with the new one', async () => {
    const { session, run, authorization, fake, at } = await kept()
    await session.fetch('/')
    const second = await run().connect(ORIGIN, { authorization, scopes: ['goods:read'], keep: true })
    await expect.poll(() => at.ended).toBe(true)
    expect((await session.fetch('/')).status).toBe(200)
    expect((await second.fetch('/')).status).toBe(200)
    expect(session.grant.scopes).toEqual(['goods:read'])
    expect([fake.sessions.size, fake.handshakes.size]).toEqual([2, 2])
    expect(new Set(places(at.inner)).size).toBe(at.inner.length)
  })

  test('over, where a new one would take the user: nothing to go on with', async () => {
    const { run, clock, vault } = await kept({ polls: 1, wish: { ttlSeconds: 600 } })
    clock.now += 600
    expect(await run().resume(ORIGIN)).toBeUndefined()
    expect((await vault.entries('session')).size).toBe(0)
  })

  test('what stands there and is no session is none', async () => {
    const { run, vault } = await kept()
    await vault.update('session', ORIGIN, () => ({ token: 'x' }))
    expect(await run().resume(ORIGIN)).toBeUndefined()
  })

  test('without a vault there is nowhere to keep it', async () => {
    const { agent, connect } = await world()
    await expect(connect({ keep: true })).rejects.toThrow(TypeError)
    await expect(agent.resume(ORIGIN)).rejects.toThrow(TypeError)
  })
})
