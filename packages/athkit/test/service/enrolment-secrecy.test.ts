import { beforeAll, expect, test } from 'vitest'
import { randomId } from '../../src/crypto/random.ts'
import { createResolver, type DidState, deactivateOperation } from '../../src/did/index.ts'
import type { Identity } from '../../src/handshake/index.ts'
import { createUserAuthorization } from '../../src/handshake/index.ts'
import { createRevocation } from '../../src/messages/revocation.ts'
import { createWalletToken } from '../../src/messages/wallet-token.ts'
import { named } from '../did/names.ts'
import { openRegistry } from '../registry/world.ts'
import { agentOf, NOW, ORIGIN, party, type Shop, shop } from './shop.ts'

/**
 * No answer says whether a DID has an account (ATH-4.7, ATH-6.2.3, ATH-6.3.5, ATH-8): somebody who asks about another's DID cannot sign
 * for it, and gets the answer that everybody without an account gets.
 */
let at: Shop
let enrolled: Identity
let ended: Identity
let lost: Identity
beforeAll(async () => {
  const registry = openRegistry()
  const user = await named('did:ath:user_who_left')
  await registry.submit(user.create)
  const state = (await registry.registry.state(user.did)) as DidState
  await registry.submit(await deactivateOperation({ state, signers: [user.controlling], now: NOW }))
  ;[enrolled, lost] = await Promise.all([party(), party()])
  ended = { did: user.did, signer: user.speaking }
  lost = { ...lost, did: 'did:ath:never_registered' }
  const accounts = [enrolled.did, ended.did, lost.did]
  at = await shop({
    resolver: createResolver({ registry: registry.registry, now: () => NOW }),
    users: { find: (did) => (accounts.includes(did) ? { account: 'somebody' } : undefined) },
  })
})

/** Whose DID is named, and who signs. */
const CASES: readonly [string, () => Promise<{ named: string; signer: Identity }>][] = [
  ['enrolled, signed by another', async () => ({ named: enrolled.did, signer: await party() })],
  ['enrolled and deactivated, signed by whoever had it', async () => ({ named: ended.did, signer: ended })],
  ['enrolled and gone from its registry', async () => ({ named: lost.did, signer: lost })],
  ['not enrolled, signed by another', async () => ({ named: (await party()).did, signer: await party() })],
  ['not enrolled and not registered', async () => ({ named: 'did:ath:nobody', signer: await party() })],
  [
    'not enrolled, signed by its own key',
    async () => {
      const stranger = await party()
      return { named: stranger.did, signer: stranger }
    },
  ],
]
const as = ({ named: did, signer }: { named: string; signer: Identity }): Identity => ({
  did,
  signer: signer.signer,
})

test.each(CASES)('the inbox: %s', async (_, make) => {
  const token = await createWalletToken({
    user: as(await make()),
    audience: ORIGIN,
    now: NOW,
    jti: randomId(),
  })
  const { status, body } = await at.call('GET', '/ath/inbox', undefined, {
    headers: { authorization: `Bearer ${token}` },
  })
  expect([status, body]).toEqual([401, expect.objectContaining({ error: 'token_invalid' })])
})

test.each(CASES)('a revocation: %s', async (_, make) => {
  const target = { kind: 'grant', id: 'tok_unknown' } as const
  const revocation = await createRevocation({ signer: as(await make()), target, audience: ORIGIN, now: NOW })
  const { status, body } = await at.call('POST', '/ath/revocations', revocation)
  expect([status, body]).toEqual([401, expect.objectContaining({ error: 'signature_invalid' })])
})

test.each(CASES)('message 5: %s', async (_, make) => {
  const agent = await agentOf(at)
  await agent.post(agent.m3)
  // One that has ended as well: only of a user who is enrolled is that said.
  const credential = await createUserAuthorization(as(await make()), {
    clientDid: at.agent.did,
    scopes: ['goods:read'],
    issuedAt: NOW - 600,
    expiresAt: NOW - 300,
    jti: randomId(),
    audience: [ORIGIN],
  })
  const { status, body } = await agent.post(await agent.m5({ credential, scopes: ['goods:read'] }))
  expect([status, body]).toEqual([401, expect.objectContaining({ error: 'credential_invalid' })])
})

test('while an enrolled user who is themselves hears what is wrong', async () => {
  const agent = await agentOf(at)
  await agent.post(agent.m3)
  const credential = await createUserAuthorization(enrolled, {
    clientDid: at.agent.did,
    scopes: ['goods:read'],
    issuedAt: NOW - 600,
    expiresAt: NOW - 300,
    jti: randomId(),
  })
  expect(await agent.post(await agent.m5({ credential, scopes: ['goods:read'] }))).toMatchObject({
    body: { error: 'credential_expired' },
  })
})
