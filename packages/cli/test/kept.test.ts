import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPeople } from './ath.ts'

const { at, ath, shop, end } = createPeople()

let service: { origin: string; server_did: string }
const where = () => [service.origin, '--ca', at('ca.pem'), '--server', service.server_did]
const SCOPES = ['--scopes', 'goods:read,order:create']
const keep = () =>
  ath('agent', 'connect', ...where(), ...SCOPES, '--authorization', at('m0'), '--keep', '--json')
const goods = (...more: string[]) =>
  ath('agent', 'request', 'GET /api/goods?keyword=phone', '--json', ...more)

async function signed(name: string): Promise<Record<string, unknown>> {
  const client = String((await ath('agent', 'did', '--json')).last.did)
  const args = ['--client', client, ...SCOPES, '--aud', service.server_did, '--aud', service.origin]
  const { last, status } = await ath('user', 'authorize', ...args, '--out', at(name), '--json')
  expect(status).toBe(0)
  return last
}

beforeAll(async () => {
  const [, user] = await Promise.all([ath('agent', 'init'), ath('user', 'init', '--json')])
  service = await shop('--enrol', String(user.last.did), '--ask', 'never')
  await signed('m0')
}, 30_000)
afterAll(end)

describe('a session that is kept in the vault', () => {
  test('takes requests of later runs, several at a time, until it is closed', async () => {
    expect((await goods()).last).toMatchObject({ ok: false, error: 'session_missing' })
    const kept = await keep()
    expect(kept.last).toEqual({
      ok: true,
      scopes_granted: ['goods:read', 'order:create'],
      responses: [],
      grant: expect.any(String),
      expires_at: expect.any(Number),
    })
    const answers = await Promise.all([goods(), goods(), goods('--at', service.origin)])
    for (const { last, status } of answers) {
      expect(last).toMatchObject({ ok: true, status: 200, body: { goods: expect.any(Array) } })
      expect(status).toBe(0)
    }
    const order = 'POST /api/order {"goods_id":"200","quantity":1}'
    expect((await ath('agent', 'request', order, '--json')).last).toMatchObject({ ok: true, status: 201 })
    const refused = await ath('agent', 'request', 'GET /api/profile', '--json')
    expect(refused.last).toMatchObject({ ok: false, error: 'scope_denied' })
    expect([refused.last.rule, refused.status]).toEqual([undefined, 4])

    // For a person, the answer as it comes, and nothing else on standard output.
    const events = await ath('agent', 'request', 'GET /api/orders/demo/events')
    expect(events.out.match(/^data: /gm)).toHaveLength(10)
    const missing = await ath('agent', 'request', 'GET /api/nothing')
    expect([missing.status, missing.err]).toEqual([0, 'ath: the service answered 404\n'])

    // Keys, token and credential stand in the vault alone, and encrypted.
    const file = readFileSync(at('agent.vault'), 'utf8')
    expect(file).not.toMatch(/eyJ|goods:read|localhost/)

    expect((await ath('agent', 'close', '--json')).last).toEqual({ ok: true, origin: service.origin })
    const after = await goods()
    expect([after.last.error, after.status]).toEqual(['session_missing', 7])
    expect((await ath('agent', 'close')).err).toContain('--keep')
  }, 60_000)

  test('scopes that nobody knows: what is left of the others, or nothing', async () => {
    const ask = (scopes: string) =>
      ath('agent', 'connect', ...where(), '--scopes', scopes, '--authorization', at('m0'), '--json')
    const [some, none] = await Promise.all([ask('goods:read,goods:eat'), ask('goods:eat')])
    expect(some.last).toMatchObject({ ok: true, scopes_granted: ['goods:read'] })
    expect(none.last).toMatchObject({
      ok: false,
      error: 'scope_denied',
      denied: [{ scope: 'goods:eat', code: 'unsupported' }],
    })
    expect(none.status).toBe(4)
  }, 30_000)

  test('ends when the agent takes the grant back', async () => {
    const { last } = await keep()
    const taken = await ath('agent', 'revoke', ...where(), '--grant', String(last.grant), '--json')
    expect(taken.last).toEqual({ ok: true, target: last.grant })
    const after = await goods()
    expect([after.last.error, after.status]).toEqual(['grant_revoked', 3])
  }, 30_000)

  test('ends when the user takes the grant back, whom the service lists it for', async () => {
    const { last } = await keep()
    const listed = await ath('user', 'grants', ...where(), '--json')
    const [grant] = listed.last.grants as { id: string; scopes: string[] }[]
    expect(grant).toMatchObject({ id: last.grant, scopes: ['goods:read', 'order:create'] })
    expect((await ath('user', 'grants', ...where())).out).toContain(String(last.grant))
    const reason = ['--reason', 'lost the phone']
    expect((await ath('user', 'revoke', ...where(), '--grant', grant?.id ?? '', ...reason)).status).toBe(0)
    expect((await goods()).last.error).toBe('grant_revoked')
    expect((await ath('user', 'grants', ...where())).out).toContain('Nobody')
  }, 30_000)

  test('ends when the user takes the credential back, which is good for nothing after that', async () => {
    const { credential_id: id } = await signed('m0')
    await keep()
    const taken = await ath('user', 'revoke', ...where(), '--credential', at('m0'), '--json')
    expect(taken.last).toEqual({ ok: true, target: id })
    expect((await goods()).last.error).toBe('grant_revoked')
    const again = await keep()
    expect([again.last.error, again.status]).toEqual(['credential_revoked', 3])

    // Before anybody has seen it, by its id alone, of which the user's vault knows the end.
    const { credential_id: unseen } = await signed('m0')
    await ath('user', 'revoke', ...where(), '--credential-id', String(unseen), '--json')
    expect((await keep()).last.error).toBe('credential_revoked')
    const foreign = await ath('agent', 'revoke', ...where(), '--credential-id', String(unseen))
    expect([foreign.status, foreign.err]).toEqual([2, expect.stringContaining('--expires-at')])
  }, 60_000)
})

test('what a user answered is what they can take back', async () => {
  const asking = createPeople()
  try {
    const [agent, user] = await Promise.all([
      asking.ath('agent', 'init', '--json'),
      asking.ath('user', 'init', '--json'),
    ])
    const made = await asking.shop('--enrol', String(user.last.did))
    const there = [made.origin, '--ca', asking.at('ca.pem'), '--server', made.server_did]
    const client = ['--client', String(agent.last.did), '--aud', made.server_did]
    await asking.ath('user', 'authorize', ...client, ...SCOPES, '--out', asking.at('m0'))
    const [, answered] = await Promise.all([
      asking.ath('agent', 'connect', ...there, ...SCOPES, '--authorization', asking.at('m0'), '--keep'),
      asking.ath('user', 'confirm', ...there, '--approve', '--json'),
    ])
    const request = String(answered.last.request_id)
    expect((await asking.ath('user', 'revoke', ...there, '--request', request)).status).toBe(0)
    const after = await asking.ath('agent', 'request', 'GET /api/goods', '--json')
    expect(after.last).toMatchObject({ ok: false, error: 'grant_revoked' })
  } finally {
    asking.end()
  }
}, 60_000)
