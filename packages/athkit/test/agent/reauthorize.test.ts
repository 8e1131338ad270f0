import { describe, expect, test } from 'vitest'
import { type Reauthorization, ScopesDenied } from '../../src/agent/index.ts'
import { refuse } from '../../src/errors.ts'
import { refused } from './fake-server.ts'
import { NOW, refusal, world } from './world.ts'

const both = ['goods:read', 'order:create']

describe('reauthorize: another credential after scopes were denied', () => {
  test('the handshake is made again with it; the denied scopes and reasons are told', async () => {
    const made = await world({ denyAll: true })
    const told: ScopesDenied[] = []
    const another = await made.user.authorize({
      clientDid: made.identity.did,
      scopes: both,
      expiresInSeconds: 60,
      audience: made.server.did,
    })
    const session = await made.connect({
      reauthorize: async (refusedWith) => {
        told.push(refusedWith)
        made.fake.set({ denyAll: false })
        return { authorization: another }
      },
    })
    expect(session.grant.scopes).toEqual(both)
    expect(told.map(({ denied }) => denied)).toMatchObject([both.map((scope) => ({ scope, code: 'policy' }))])
    expect(told[0]?.denied[0]?.reason).toBeTypeOf('string')
    const shown = [...made.fake.handshakes.values()].map(
      ({ m5 }) =>
        (m5 as { user_authorization: { credential: string } } | undefined)?.user_authorization.credential,
    )
    expect(shown).toEqual([made.authorization, another])
  })

  test('with other scopes', async () => {
    const made = await world({ supported: ['goods:read'] })
    const { authorization } = made
    const session = await made.connect({
      requiredScopes: both,
      reauthorize: () => ({ authorization, scopes: ['goods:read'], requiredScopes: ['goods:read'] }),
    })
    expect(session.grant.scopes).toEqual(['goods:read'])
    // The first grant, which lacked what was required, was given back.
    expect([...made.fake.sessions.values()].map(({ ended }) => ended)).toEqual([true, false])
  })

  test.each([
    ['gives up where there is none', undefined, 1],
    ['not for ever', 'again', 4],
  ])('%s', async (_, answer, handshakes) => {
    const made = await world({ denyAll: true })
    const { authorization } = made
    const reauthorize = (): Reauthorization | undefined =>
      answer === undefined ? undefined : { authorization }
    await expect(made.connect({ reauthorize })).rejects.toThrow(ScopesDenied)
    expect(made.fake.handshakes.size).toBe(handshakes)
  })

  test('what it throws is thrown, and the signal ends it', async () => {
    const { connect } = await world({ denyAll: true })
    const failing = () => Promise.reject(new Error('the user went away'))
    await expect(connect({ reauthorize: failing })).rejects.toThrow('the user went away')
    const controller = new AbortController()
    const never = () => {
      setTimeout(() => controller.abort(new Error('enough')), 1)
      return new Promise<never>(() => undefined)
    }
    await expect(connect({ reauthorize: never, signal: controller.signal })).rejects.toThrow('enough')
  })

  test('an agent that is not approved at all is not helped by a credential', async () => {
    let asked = 0
    const { connect } = await world({
      intercept: ({ method, path }) =>
        method === 'POST' && path.startsWith('/ath/handshake/')
          ? refused(refuse('policy_denied', 'x'), NOW)
          : undefined,
    })
    const reauthorize = () => void asked++ as undefined
    expect(await refusal(connect({ reauthorize }))).toBe('policy_denied')
    expect(asked).toBe(0)
  })
})
