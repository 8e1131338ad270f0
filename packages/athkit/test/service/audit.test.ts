import { describe, expect, test } from 'vitest'
import { type AuditEntry, exportAudit, verifyAudit } from '../../src/audit/index.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { randomId } from '../../src/crypto/random.ts'
import type { HandshakeError } from '../../src/errors.ts'
import { refusalResponse, requireGrant } from '../../src/service/index.ts'
import { memory } from '../../src/store/memory.ts'
import type { Operation, Store } from '../../src/store/store.ts'
import { sealedShop } from './sealed/session.ts'
import { ASK_NOBODY, agentOf, NOW, type Shop, shop } from './shop.ts'

/** What the audit holds, once everything has its place; the chains hold. */
async function audited(at: Shop): Promise<readonly AuditEntry[]> {
  await at.service.audit.flush()
  const all: (AuditEntry | JsonObject)[] = []
  for await (const line of exportAudit(at.store, at.clock.now)) all.push(line as never)
  const verdict = await verifyAudit(all as unknown as JsonObject[], at.server.signer.publicKey)
  expect(verdict.findings).toEqual([])
  return all.filter((line): line is AuditEntry => 'event' in line)
}

const names = async (at: Shop) => (await audited(at)).map(({ event }) => event)

/** A store that counts what is asked of it, and fails where it is told to. */
function watched(store: Store) {
  const seen: (readonly Operation[])[] = []
  const hook = { fails: (_: readonly Operation[]): boolean => false }
  const watching: Store = {
    ...store,
    async transact(partition, operations, now) {
      seen.push(operations)
      if (hook.fails(operations)) {
        const { AthError } = await import('../../src/errors.ts')
        throw new AthError('store_unavailable', 'out of reach')
      }
      return store.transact(partition, operations, now)
    },
  }
  return { store: watching, seen, hook }
}

describe('every decision of a handshake is one entry (ATH-10)', () => {
  test('from the first message to the token, in order, with who and what', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    await agent.post([agent.m3, m5, await agent.m9a(m5)])
    const [question] = await at.wallet.pending()
    if (question === undefined) throw new Error('nobody was asked')
    await at.wallet.post(question, await at.wallet.respond(question, { approvedScopes: ['goods:read'] }))
    await agent.get()
    const entries = await audited(at)
    // In the order of their commits: in a flight the question is written before the handshake's own state.
    expect(entries.map(({ event }) => event)).toEqual([
      'confirmation sent',
      'handshake started',
      'identity proven',
      'answered',
      'scopes decided',
      'token issued',
    ])
    for (const entry of entries) expect(entry).toMatchObject({ client_did: at.agent.did, timestamp: NOW })
    expect(entries[1]?.detail).toEqual({ address: '192.0.2.1', committed_nonce: true })
    expect(entries[3]).toMatchObject({ user_did: at.user.did, detail: { approved: ['goods:read'] } })
    expect(entries[4]?.detail).toMatchObject({
      granted: ['goods:read'],
      denied: [{ scope: 'order:create', code: 'user' }],
    })
    expect(entries[5]?.grant_id).toBeDefined()
    expect(new Set(entries.map(({ process }) => process))).toEqual(new Set([at.service.audit.process]))
  })

  test('sent again, or lost on the way, it is still one', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    const m5 = await agent.m5()
    const flight = [agent.m3, m5, await agent.m9a(m5)]
    await Promise.all([agent.post(flight), agent.post(flight), agent.post(flight)])
    await agent.post(flight)
    expect(await names(at)).toEqual([
      ...Array(3).fill('default weakened'),
      'handshake started',
      'identity proven',
      'confirmation skipped',
      'scopes decided',
      'token issued',
    ])
  })

  test('whoever proves nothing leaves nothing: it is counted, and not written', async () => {
    const at = await shop()
    const stranger = await agentOf(at)
    const liar = await agentOf(at)
    const forged = { ...liar.m3, signature: stranger.m3.signature }
    expect((await liar.post(forged as unknown as JsonObject)).status).toBe(401)
    expect(await names(at)).toEqual([])
    expect(at.events.filter(({ type }) => type === 'refused')).toHaveLength(1)
  })

  test('what a listener does to what it is told changes no entry', async () => {
    const granted: string[][] = []
    const onEvent = (event: { type: string; granted?: unknown }) => {
      if (event.type === 'scopes_decided') granted.push((event.granted as string[]).splice(0))
    }
    const at = await shop({ ...ASK_NOBODY, onEvent })
    const agent = await agentOf(at)
    await agent.post([agent.m3, await agent.m5()])
    const decided = (await audited(at)).find(({ event }) => event === 'scopes decided')
    expect(granted).toHaveLength(1)
    expect(decided?.detail.granted).toEqual(granted[0])
    expect(granted[0]).not.toEqual([])
  })

  test('a replayed handshake is counted, and not written', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    const { client_did, nonce } = agent.m1
    const used = { op: 'put', key: `m1:${nonce}`, value: 'another' } as const
    await at.store.transact(`client:${client_did}`, [used], NOW)
    expect((await agent.post(agent.m3)).body).toMatchObject({ error: { error: 'handshake_replayed' } })
    expect(await names(at)).toEqual([])
  })

  test('an agent that is not let in is refused by name', async () => {
    const at = await shop({ policy: () => ({ allow: false }) })
    const agent = await agentOf(at)
    expect((await agent.post(agent.m3)).status).toBe(403)
    const entries = await audited(at)
    expect(entries.map(({ event }) => event)).toEqual(['handshake started', 'identity refused'])
    expect(entries[1]?.detail).toMatchObject({ error: 'policy_denied' })
  })

  test('a credential that is no good ends it, by name; a message that takes no step does not', async () => {
    const at = await shop(ASK_NOBODY)
    const agent = await agentOf(at)
    await agent.post(agent.m3)
    await agent.post({ type: 'scope_request' })
    const expired = await agent.credential({ issuedAt: NOW - 100, expiresAt: NOW - 1 })
    expect((await agent.post(await agent.m5({ credential: expired }))).status).toBe(401)
    const last = (await audited(at)).at(-1)
    expect(last).toMatchObject({ event: 'handshake refused', detail: { error: 'credential_expired' } })
    expect(await names(at)).toHaveLength(6)
  })

  test('a question that lapses', async () => {
    const at = await shop()
    const agent = await agentOf(at)
    await agent.post([agent.m3, await agent.m5()])
    at.clock.now += 301
    expect((await agent.get()).status).toBe(408)
    expect((await names(at)).slice(3)).toEqual(['confirmation lapsed', 'handshake refused'])
  })

  test('is not made without its entry: where that cannot be kept, neither is the state', async () => {
    const { store, hook } = watched(memory())
    const at = await shop(ASK_NOBODY, { store })
    const agent = await agentOf(at)
    hook.fails = (operations) => operations.some(({ op }) => op === 'append')
    expect((await agent.post(agent.m3)).status).toBe(503)
    expect(at.events.some(({ type }) => type === 'identity_proven')).toBe(false)
    hook.fails = () => false
    expect((await agent.post(agent.m3)).status).toBe(200)
    expect((await names(at)).slice(-2)).toEqual(['handshake started', 'identity proven'])
  })
})

describe('every decision of a session is one entry (ATH-10)', () => {
  const restricted = (request: Request): Response => {
    try {
      requireGrant(request, 'goods:read')
      return new Response('ok')
    } catch (error) {
      return refusalResponse(error as HandshakeError, NOW)
    }
  }

  test('what succeeds writes none, in one round trip', async () => {
    const { store, seen } = watched(memory())
    const { at, client } = await sealedShop(restricted, {}, {}, store)
    await client.send('GET', '/goods')
    const before = (await audited(at)).length
    seen.length = 0
    expect((await client.send('GET', '/goods')).status).toBe(200)
    expect(seen).toHaveLength(1)
    expect(seen[0]?.some(({ op }) => op === 'append')).toBe(false)
    expect(await names(at)).toHaveLength(before)
  })

  test('what is refused is written, also by a route’s guard; replays are counted', async () => {
    const { at, client } = await sealedShop(restricted, {}, { token: { scope: 'order:create' } })
    expect((await client.send('GET', '/goods')).error).toBe('scope_denied')
    expect((await client.send('GET', '/goods', { token: null })).error).toBe('token_invalid')
    expect((await client.send('GET', '/goods', { seq: 0 })).error).toBe('replayed')
    const refused = (await audited(at)).filter(({ event }) => event === 'sealed request refused')
    expect(refused.map(({ detail }) => detail.error)).toEqual(['scope_denied', 'token_invalid'])
    expect(refused[0]).toMatchObject({ grant_id: client.grant.id, user_did: at.user.did })
  })

  test('a restriction that is violated has an entry of its own, and that one alone', async () => {
    const { at, client } = await sealedShop(
      restricted,
      {},
      { token: { restrictions: { rate_limit: '1/minute' } } },
    )
    await client.send('GET', '/goods')
    expect((await client.send('GET', '/goods')).error).toBe('rate_limited')
    const entries = (await audited(at)).slice(1)
    expect(entries.map(({ event }) => event)).toEqual(['restriction violated'])
  })

  test('where a refusal cannot be written down, it is 503', async () => {
    const { store, hook } = watched(memory())
    const { client } = await sealedShop(restricted, {}, { token: { scope: 'order:create' } }, store)
    hook.fails = (operations) => operations.some(({ op }) => op === 'append')
    expect((await client.send('GET', '/goods')).error).toBe('store_unavailable')
  })

  test('renewal, the end of a session, and revocations, with who and why', async () => {
    const { at, client } = await sealedShop(restricted)
    const body = JSON.stringify({ type: 'token_renewal', timestamp: at.clock.now })
    expect((await client.send('POST', '/ath/session/token', { body })).status).toBe(200)
    expect((await client.send('DELETE', '/ath/session')).status).toBe(204)
    const { client: other, at: at2 } = await sealedShop(restricted)
    await at2.service.revokeGrant(other.grant.id, 'lost laptop')
    await at2.service.revokeCredential(at2.user.did, randomId().padEnd(43, 'x'), 'stolen')
    expect((await names(at)).slice(1)).toEqual(['renewed', 'session ended'])
    const revoked = (await audited(at2)).filter(({ event }) => event === 'revoked')
    expect(revoked.map(({ detail }) => detail)).toMatchObject([
      { kind: 'grant', id: other.grant.id, by: at2.server.did, reason: 'lost laptop' },
      { kind: 'credential', by: at2.server.did, reason: 'stolen' },
    ])
    expect(revoked[0]).toMatchObject({ user_did: at2.user.did, client_did: at2.agent.did })
  })
})

test('what weakens a default is written down at start-up', async () => {
  const at = await shop({ ...ASK_NOBODY, origin: 'http://127.0.0.1:8443', allowPlaintextOnLoopback: true })
  const entries = await audited(at)
  expect(entries.map(({ event }) => event)).toEqual(Array(4).fill('default weakened'))
  expect(entries[0]?.detail.message).toMatch(/^allowPlaintextOnLoopback/)
})

test('no entry holds a token, a key or a credential', async () => {
  const at = await shop(ASK_NOBODY)
  const agent = await agentOf(at)
  const credential = await agent.credential()
  const m5 = await agent.m5({ credential })
  const { body } = await agent.post([agent.m3, m5, await agent.m9a(m5)])
  const text = JSON.stringify(await audited(at))
  const token = String((body[2] as JsonObject).access_token)
  expect(token.length).toBeGreaterThan(100)
  for (const secret of [token, String(credential), token.split('.')[2], String(credential).split('.')[2]]) {
    expect(text).not.toContain(secret)
  }
  expect(text).not.toMatch(/BEGIN|"signature"|c2s|rekey/)
})
