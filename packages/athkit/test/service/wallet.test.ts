import { beforeEach, describe, expect, test } from 'vitest'
import { decodeJwt } from '../../src/crypto/jws.ts'
import { createRevocation } from '../../src/messages/revocation.ts'
import type { createWalletToken } from '../../src/messages/wallet-token.ts'
import { ASK_NOBODY, agentOf, NOW, ORIGIN, open, party, type Shop, shop } from './shop.ts'

let at: Shop
beforeEach(async () => {
  at = await shop(ASK_NOBODY)
})

const get = (path: string, token: string, node = at) =>
  node.call('GET', path, undefined, { headers: { authorization: `Bearer ${token}` } })

/** A grant, and what its agent and its credential are called. */
async function granted() {
  const agent = await agentOf(at)
  const m5 = await agent.m5()
  const { body } = await agent.post([agent.m3, m5, await agent.m9a(m5)])
  const { claims } = decodeJwt(body[2]?.access_token)
  return { id: claims.jti as string, agent }
}

const live = async () => {
  const { body } = await get('/ath/grants', await at.wallet.token())
  return (body.grants as unknown as { id: string }[]).map(({ id }) => id)
}

describe("the user's token (ATH-6.3.5)", () => {
  const REFUSED = { status: 401, body: { error: 'token_invalid' } }

  test('is good once, at whichever endpoint and node it is shown first', async () => {
    const other = open(at)
    for (const [first, second] of [
      ['/ath/inbox', '/ath/inbox'],
      ['/ath/grants', '/ath/inbox'],
    ] as const) {
      const token = await at.wallet.token()
      expect((await get(first, token)).status).toBe(200)
      expect(await get(second, token, other)).toMatchObject(REFUSED)
    }
  })

  test.each<[string, Partial<Parameters<typeof createWalletToken>[0]>]>([
    ['for another audience', { audience: 'https://other.example' }],
    ['issued more than 300 s ago', { now: NOW - 301 }],
    ['issued more than 300 s ahead', { now: NOW + 301 }],
  ])('%s is refused', async (_, edit) => {
    expect(await get('/ath/inbox', await at.wallet.token(edit))).toMatchObject(REFUSED)
  })

  test('of somebody who is not enrolled is refused as a bad signature is', async () => {
    const [stranger, forger] = [await party(), { did: at.user.did, signer: (await party()).signer }]
    for (const user of [stranger, forger]) {
      expect(await get('/ath/grants', await at.wallet.token({ user }))).toMatchObject(REFUSED)
    }
  })
})

describe('a grant and who may end it (ATH-8)', () => {
  const revoke = async (signer: Parameters<typeof createRevocation>[0]['signer'], id: string) => {
    const target = { kind: 'grant', id } as const
    const message = await createRevocation({ signer, target, audience: ORIGIN, reason: 'over', now: NOW })
    return (await at.call('POST', '/ath/revocations', message)).status
  }

  test('another agent with a grant here is answered as its client is, and ends nothing', async () => {
    const { id } = await granted()
    const other = await party()
    const theirs = await agentOf(at, { agent: other })
    const m5 = await theirs.m5()
    await theirs.post([theirs.m3, m5, await theirs.m9a(m5)])
    expect(await revoke(other, id)).toBe(200)
    expect(await live()).toContain(id)
    expect(await revoke(at.agent, id)).toBe(200)
    expect(await live()).not.toContain(id)
  })

  test('somebody with no business here is refused as a bad signature is', async () => {
    const { id } = await granted()
    expect(await revoke(await party(), id)).toBe(401)
    expect(await live()).toEqual([id])
  })

  test('the service and the user can end it too', async () => {
    for (const signer of [at.server, at.user]) {
      const { id } = await granted()
      expect(await revoke(signer, id)).toBe(200)
      expect(await live()).not.toContain(id)
    }
  })
})
