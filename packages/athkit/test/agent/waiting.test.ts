import { describe, expect, test } from 'vitest'
import { type ConnectOptions, createAgent, type Pending } from '../../src/agent/index.ts'
import { refuse } from '../../src/errors.ts'
import { refused, type Seen } from './fake-server.ts'
import { vaultInMemory } from './vault-in-memory.ts'
import { NOW, ORIGIN, refusal, type WorldOptions, world } from './world.ts'

const isPoll = ({ method, path }: Seen) => method === 'GET' && path.startsWith('/ath/handshake/')

/** An agent that is ended while the user decides, as often as a test likes. */
async function waiting(options: WorldOptions = {}) {
  let interrupted: ((reason: Error) => void) | undefined
  const made = await world({
    polls: 2,
    intercept: (request) => {
      if (!isPoll(request) || interrupted === undefined) return undefined
      interrupted(new Error('ended'))
      return new Promise<never>(() => undefined)
    },
    ...options,
  })
  const vault = await vaultInMemory(made.identity)
  const shown: Pending[] = []
  const run = (wish: Partial<ConnectOptions> = {}) =>
    createAgent({
      identity: made.identity,
      vault,
      fetch: made.fake.fetch,
      now: () => made.clock.now,
      sleep: async () => undefined,
    }).connect(ORIGIN, {
      authorization: made.authorization,
      scopes: ['goods:read', 'order:create'],
      onPending: (pending) => void shown.push(pending),
      ...wish,
    })
  /** A run that ends at its first poll. */
  const ended = async (wish: Partial<ConnectOptions> = {}) => {
    const controller = new AbortController()
    interrupted = (reason) => controller.abort(reason)
    await expect(run({ ...wish, signal: controller.signal })).rejects.toThrow('ended')
    interrupted = undefined
  }
  const entries = async () => [...(await vault.entries('handshake')).values()]
  return { ...made, vault, shown, run, ended, entries }
}

describe('a handshake that waits for the user, in the vault', () => {
  test('another run goes on with it: the same code, the same question, nothing signed again', async () => {
    const { run, ended, fake, shown, identity, entries } = await waiting()
    await ended()
    await ended()
    expect((await entries()).length).toBe(1)
    const signed = identity.signed()
    const session = await run()
    expect((await session.fetch('/')).status).toBe(200)
    expect(fake.handshakes.size).toBe(1)
    expect(identity.signed()).toBe(signed)
    expect(shown.length).toBe(3)
    expect(new Set(shown.map((pending) => JSON.stringify(pending))).size).toBe(1)
    expect(await entries()).toEqual([])
  })

  test.each(['ECDH-P256', 'ECDH-X25519'] as const)('%s', async (keyExchange) => {
    const made = await waiting({ capabilities: ['TLS1.3', 'ES256', keyExchange] })
    await made.ended()
    const session = await made.run()
    expect(await (await session.fetch('/')).text()).toBe('hello')
    const [handshake] = [...made.fake.handshakes.values()]
    expect(handshake?.m9a).toMatchObject({ key_exchange_alg: keyExchange })
  })

  test('scopes that were chosen out of what is offered are not chosen anew', async () => {
    const { run, ended } = await waiting()
    await ended({ scopes: () => ['goods:read'] })
    const session = await run({
      scopes: () => {
        throw new Error('asked again')
      },
    })
    expect(session.grant.scopes).toEqual(['goods:read'])
  })

  test('another wish is another handshake', async () => {
    const { run, ended, fake } = await waiting()
    await ended()
    await run({ scopes: ['goods:read'] })
    await run({ context: 'something else' })
    await run({ ttlSeconds: 60 })
    expect(fake.handshakes.size).toBe(4)
    await run()
    expect(fake.handshakes.size).toBe(4)
  })

  test('an agent that comes back late still finds the answer; much later, it begins anew', async () => {
    const late = await waiting()
    await late.ended()
    late.clock.now += 400
    late.fake.set({ polls: 1 })
    await late.run()
    expect(late.fake.handshakes.size).toBe(1)
    const later = await waiting()
    await later.ended()
    later.clock.now += 1000
    // Whatever is wished for, nothing is kept for longer.
    await later.run({ scopes: ['goods:read'] })
    expect(later.fake.handshakes.size).toBe(2)
    expect(await later.entries()).toEqual([])
  })

  test('the outcome is checked as ever: scopes widened, another question answered', async () => {
    for (const m8 of [
      (made: { scopes_granted: readonly string[] }) => ({
        ...made,
        scopes_granted: [...made.scopes_granted, 'user:profile'],
      }),
      (made: object) => ({ ...made, confirmation: { request: 'other', response: 'H' } }),
    ]) {
      const { run, ended, fake, entries } = await waiting()
      await ended()
      fake.set({ m8: m8 as never })
      expect(await refusal(run())).toBe('malformed_message')
      expect(await entries()).toEqual([])
    }
  })

  test('denied, or not known any more: it does not wait any more', async () => {
    const denied = await waiting()
    await denied.ended()
    denied.fake.set({ denyAll: true })
    expect(await refusal(denied.run())).toBe('scope_denied')
    expect(await denied.entries()).toEqual([])
    const unknown = await waiting()
    await unknown.ended()
    let times = 1
    unknown.fake.set({
      intercept: (request) =>
        isPoll(request) && times-- > 0 ? refused(refuse('handshake_unknown', 'x'), NOW) : undefined,
    })
    await unknown.run()
    expect(unknown.fake.handshakes.size).toBe(2)
  })

  test('a network that fails ends nothing', async () => {
    const { run, ended, fake, entries } = await waiting()
    await ended()
    fake.set({
      intercept: (request) => {
        if (isPoll(request)) throw new TypeError('connection reset')
        return undefined
      },
    })
    expect(await refusal(run())).toBe('transport_failed')
    expect((await entries()).length).toBe(1)
  })

  test('of two that go on with it, one has the outcome', async () => {
    const { run, ended, fake } = await waiting()
    await ended()
    const outcomes = await Promise.allSettled([run(), run()])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const lost = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult
    expect(lost.reason).toMatchObject({ trouble: 'aborted' })
    expect(fake.handshakes.size).toBe(1)
  })

  test('what stands there and is no handshake is none', async () => {
    const { run, ended, vault, fake } = await waiting()
    await ended()
    const [name = ''] = [...(await vault.entries('handshake')).keys()]
    await vault.update('handshake', name, () => ({ url: 'x' }))
    await run()
    expect(fake.handshakes.size).toBe(2)
  })
})
