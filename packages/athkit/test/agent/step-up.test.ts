import { describe, expect, test } from 'vitest'
import { addCredential, createAgent, ScopesDenied } from '../../src/agent/index.ts'
import { refuse } from '../../src/errors.ts'
import { vaultInMemory } from './vault-in-memory.ts'
import { ORIGIN, refusal, type WorldOptions, world } from './world.ts'

/** A session for reading; the credential that was shown would do for more. */
async function reading(options: WorldOptions = {}) {
  const made = await world(options)
  const session = await made.connect({ scopes: ['goods:read'], ...options.wish })
  const sessions = () => [...made.fake.sessions.values()]
  return { ...made, session, sessions }
}

const until = async (holds: () => boolean): Promise<void> => {
  // By the clock: on a busy machine WebCrypto may take longer than any number of turns.
  const end = Date.now() + 5000
  while (!holds() && Date.now() < end) await new Promise((resolve) => setImmediate(resolve))
  expect(holds()).toBe(true)
}

describe('stepUp: more scopes inside a session', () => {
  test('the session has both; the grant before ends', async () => {
    const { session, sessions, fake } = await reading()
    const { fetch } = session
    await fetch('/one')
    const grant = await session.stepUp({ scopes: ['order:create'] })
    expect(grant.scopes).toEqual(['goods:read', 'order:create'])
    expect(session.grant).toEqual(grant)
    await fetch('/two')
    await until(() => sessions()[0]?.ended === true)
    const [before, after] = sessions()
    expect(before?.inner.map(({ path }) => path)).toEqual(['/one', '/ath/session'])
    expect(after?.inner.map(({ path }) => path)).toEqual(['/two'])
    expect(fake.handshakes.size).toBe(2)
  })

  test('the user is asked, with a code to show', async () => {
    const { session } = await reading({ polls: 2 })
    const shown: string[] = []
    await session.stepUp({
      scopes: ['order:create'],
      onPending: ({ bindingCode }) => void shown.push(bindingCode),
    })
    expect(shown).toEqual(['42'])
  })

  test('denied: nothing has changed', async () => {
    const { session, fake, sessions } = await reading()
    fake.set({ denyAll: true })
    await expect(session.stepUp({ scopes: ['order:create'] })).rejects.toThrow(ScopesDenied)
    expect(session.grant.scopes).toEqual(['goods:read'])
    expect((await session.fetch('/')).status).toBe(200)
    expect(sessions().length).toBe(1)
  })

  test.each([
    ['nothing more', ['goods:read']],
    ['more, but less of what there is', ['order:create']],
  ])('%s is granted: given back, and nothing has changed', async (_, supported) => {
    const { session, fake, sessions } = await reading()
    fake.set({ supported })
    await expect(session.stepUp({ scopes: ['order:create'] })).rejects.toThrow(ScopesDenied)
    expect(session.grant.scopes).toEqual(['goods:read'])
    expect((await session.fetch('/')).status).toBe(200)
    expect(sessions().map(({ ended }) => ended)).toEqual([false, true])
  })

  test('what fails on the way changes nothing', async () => {
    let fails = false
    const { session } = await reading({
      intercept: ({ path }) => {
        if (fails && path === '/ath/handshake') throw new TypeError('connection reset')
        return undefined
      },
    })
    fails = true
    expect(await refusal(session.stepUp({ scopes: ['order:create'] }))).toBe('transport_failed')
    expect((await session.fetch('/')).status).toBe(200)
  })

  test('answers that still come in are read to their end before the old grant ends', async () => {
    const { session, sessions } = await reading({ app: () => ({ status: 200, pieces: ['one', 'two'] }) })
    const open = await session.fetch('/stream')
    await session.stepUp({ scopes: ['order:create'] })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(sessions()[0]?.ended).toBe(false)
    expect(await open.text()).toBe('onetwo')
    await until(() => sessions()[0]?.ended === true)
  })

  test('two at a time: one after the other, and all of it is granted', async () => {
    const made = await world()
    const { user, identity, server } = made
    const scopes = ['goods:read', 'order:create', 'user:profile']
    const authorization = await user.authorize({
      clientDid: identity.did,
      scopes,
      expiresInSeconds: 7200,
      audience: server.did,
    })
    const session = await made.connect({ authorization, scopes: ['goods:read'] })
    await Promise.all([
      session.stepUp({ scopes: ['order:create'] }),
      session.stepUp({ scopes: ['user:profile'] }),
    ])
    expect(session.grant.scopes).toEqual(scopes)
  })

  test('with another credential, given or in the vault', async () => {
    const made = await world()
    const vault = await vaultInMemory(made.identity)
    const authorize = (scopes: string[]) =>
      made.user.authorize({
        clientDid: made.identity.did,
        scopes,
        expiresInSeconds: 7200,
        audience: [made.server.did, ORIGIN],
      })
    const agent = createAgent({
      identity: made.identity,
      vault,
      fetch: made.fake.fetch,
      now: () => made.clock.now,
    })
    const session = await agent.connect(ORIGIN, {
      authorization: await authorize(['goods:read']),
      scopes: ['goods:read'],
    })
    expect(await refusal(session.stepUp({ scopes: ['order:create'] }))).toBe('credential_missing')
    await addCredential(vault, await authorize(['goods:read', 'order:create']))
    await session.stepUp({ scopes: ['order:create'] })
    const all = ['goods:read', 'order:create', 'user:profile']
    await session.stepUp({ scopes: ['user:profile'], authorization: await authorize(all) })
    expect(session.grant.scopes).toEqual(all)
  })

  test('closed, both ends are; a mistake is a TypeError', async () => {
    const { session, sessions } = await reading({ app: () => ({ status: 200, pieces: ['one'] }) })
    await expect(session.stepUp({ scopes: ['goods:read'] })).rejects.toThrow(TypeError)
    await session.fetch('/never-read')
    await session.stepUp({ scopes: ['order:create'] })
    await session.close()
    expect(sessions().map(({ ended }) => ended)).toEqual([true, true])
    expect(await refusal(session.stepUp({ scopes: ['order:create'] }))).toBe('session_closed')
  })

  test('lost afterwards, it is made anew with all of it', async () => {
    let lost = 0
    const { session, sessions } = await reading({
      app: () => {
        if (lost-- > 0) throw refuse('session_expired', 'x')
        return { status: 200 }
      },
    })
    await session.stepUp({ scopes: ['order:create'] })
    lost = 1
    expect((await session.fetch('/')).status).toBe(200)
    expect(session.grant.scopes).toEqual(['goods:read', 'order:create'])
    expect(sessions().length).toBe(3)
  })
})
