import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPeople } from './ath.ts'

const { at, ath, start, shop, end } = createPeople()

let service: { origin: string; server_did: string }
let [agentDid, userDid] = ['', '']
const where = () => [service.origin, '--ca', at('ca.pem'), '--server', service.server_did]
const SCOPES = ['--scopes', 'goods:read,order:create']

beforeAll(async () => {
  const [agent, user] = await Promise.all([ath('agent', 'init', '--json'), ath('user', 'init', '--json')])
  agentDid = String(agent.last.did)
  userDid = String(user.last.did)
  service = await shop('--enrol', userDid)
  await ath(
    'user',
    'authorize',
    '--client',
    agentDid,
    ...SCOPES,
    '--aud',
    service.server_did,
    '--expires-in',
    '600',
    '--out',
    at('m0'),
  )
}, 30_000)

afterAll(end)

const connect = (...more: string[]) => ath('agent', 'connect', ...where(), ...SCOPES, ...more, '--json')
const confirm = (...more: string[]) => ath('user', 'confirm', ...where(), '--wait', '20', ...more, '--json')

describe('ath', () => {
  test('init and did: one identity, which stays; the vault is for its owner alone', async () => {
    expect(agentDid).toMatch(/^did:ath:z/)
    expect((await ath('agent', 'init')).out.trim()).toBe(agentDid)
    expect((await ath('agent', 'did', '--json')).last).toEqual({ ok: true, did: agentDid })
    expect(statSync(at('agent.vault')).mode & 0o777).toBe(0o600)
  }, 20_000)

  test('connect and confirm: requests in order, with a rotation and a renewal between them', async () => {
    const [connected, confirmed] = await Promise.all([
      connect(
        '--authorization',
        at('m0'),
        '--ttl',
        '300',
        '--request',
        'GET /api/goods?keyword=phone',
        '--rotate',
        '--request',
        'POST /api/order {"goods_id":"200","quantity":3}',
        '--renew',
        '--request',
        'GET /api/profile',
      ),
      confirm('--approve'),
    ])
    expect(connected.last).toMatchObject({
      ok: true,
      scopes_granted: ['goods:read', 'order:create'],
      responses: [
        { status: 200, body: { goods: expect.any(Array) } },
        { status: 201, body: { amount: 147 } },
        { status: 403, body: { error: 'scope_denied' } },
      ],
    })
    expect(connected.err).toMatch(/code to pick is [0-9]{2}/)
    expect(connected.status).toBe(0)
    expect(confirmed.last).toMatchObject({
      ok: true,
      client_did: agentDid,
      approved: true,
      code_picked: false,
      restrictions: { order_amount_limit: 5000 },
    })
    expect(confirmed.err).toContain('nobody compared the code')
  }, 30_000)

  test('the open questions are listed, without the code; then one is answered', async () => {
    const none = await ath('user', 'confirm', ...where(), '--list')
    expect([none.status, none.out]).toEqual([0, 'Nobody asks for anything.\n'])
    const { ended, said } = start('agent', [
      'connect',
      ...where(),
      ...SCOPES,
      '--authorization',
      at('m0'),
      '--json',
    ])
    await said(/code to pick/)
    const { last } = await ath('user', 'confirm', ...where(), '--list', '--json')
    expect(last).toMatchObject({
      ok: true,
      pending: [
        {
          client_did: agentDid,
          requested_scopes: ['goods:read', 'order:create'],
          restrictions: expect.any(Object),
        },
      ],
    })
    expect(JSON.stringify(last)).not.toContain('binding_code')
    expect((await ath('user', 'confirm', ...where(), '--list')).out).toMatch(
      /Limits .*order_amount_limit 5000/,
    )
    const denied = await confirm('--deny')
    expect(denied.err).toContain('nobody compared the code')
    expect((await ended).last).toMatchObject({ ok: false, error: 'scope_denied' })
  }, 60_000)

  test('what is narrowed is granted so; what is denied ends with status 4', async () => {
    const [narrow] = await Promise.all([
      connect('--authorization', at('m0')),
      confirm('--only', 'goods:read'),
    ])
    expect(narrow.last).toMatchObject({ ok: true, scopes_granted: ['goods:read'], responses: [] })
    const [denied, denial] = await Promise.all([connect('--authorization', at('m0')), confirm('--deny')])
    expect(denied.last).toEqual({
      ok: false,
      error: 'scope_denied',
      reason: 'nothing was granted',
      denied: [expect.objectContaining({ scope: 'goods:read', code: 'user' }), expect.anything()],
    })
    expect(denied.status).toBe(4)
    expect(denial.last).toMatchObject({ ok: true, approved: false, scopes_approved: [] })
  }, 30_000)

  test('a credential that was asked for, signed and added is found in the vault', async () => {
    const asked = await ath(
      'agent',
      'request-authorization',
      ...SCOPES,
      '--aud',
      service.server_did,
      '--out',
      at('asked'),
    )
    expect(asked.status).toBe(0)
    expect(JSON.parse(readFileSync(at('asked'), 'utf8'))).toMatchObject({ client_did: agentDid })
    const none = await connect()
    expect([none.last.error, none.status]).toEqual(['credential_missing', 7])
    const limits = '{"order_amount_limit":100}'
    expect(
      (await ath('user', 'authorize', '--request', at('asked'), '--restrictions', limits, '--out', at('m0b')))
        .status,
    ).toBe(0)
    expect((await ath('agent', 'credential', 'add', at('m0b'), '--json')).last).toMatchObject({
      ok: true,
      scopes: ['goods:read', 'order:create'],
    })
    const [connected, confirmed] = await Promise.all([
      connect('--request', 'POST /api/order {"goods_id":"200","quantity":3}'),
      confirm('--approve'),
    ])
    expect(connected.last).toHaveProperty('responses.0.status', 403)
    expect(confirmed.last).toMatchObject({ restrictions: { order_amount_limit: 100 } })
  }, 30_000)

  test('another server than the one that is meant, or one that nobody vouches for, ends with status 3', async () => {
    const other = await ath(
      'agent',
      'connect',
      service.origin,
      '--ca',
      at('ca.pem'),
      '--server',
      userDid,
      ...SCOPES,
      '--authorization',
      at('m0'),
      '--json',
    )
    expect(other.last).toMatchObject({ ok: false, error: 'identity_unknown', rule: 'ATH-6.1.5' })
    expect(other.status).toBe(3)
  }, 20_000)

  test('an authority that is not trusted, or nobody there, ends with status 5', async () => {
    const untrusted = await ath(
      'agent',
      'connect',
      service.origin,
      ...SCOPES,
      '--authorization',
      at('m0'),
      '--json',
    )
    expect(untrusted.last).toMatchObject({ ok: false, error: 'transport_failed' })
    expect(untrusted.status).toBe(5)
    const none = await confirm('--approve', '--wait', '1')
    expect(none.last).toMatchObject({
      ok: false,
      error: 'no_question',
      reason: 'no question within 1 s',
    })
    expect(none.status).toBe(5)
  }, 60_000)

  test('another key than the vault’s', async () => {
    writeFileSync(at('zoe.vault'), readFileSync(at('agent.vault')))
    const { last, status } = await ath('zoe', 'did', '--json')
    expect(last).toMatchObject({ ok: false, error: 'vault_locked' })
    expect(status).toBe(7)
  })

  test.each([
    [['connect'], 'scopes'],
    [['connect', '--scopes', 'a:b'], 'url'],
    [['nonsense'], 'nonsense'],
    [['authorize', '--out', 'x'], '--client'],
    [['authorize', '--client', 'did:ath:x', '--scopes', 'a', '--out', 'x'], 'scopes'],
    [['authorize', '--client', 'x', '--scopes', 'a:b', '--out', 'x'], 'x is no DID'],
    [['authorize', '--client', 'did:ath:x', '--scopes', 'a:b', '--expires-in', 'soon', '--out', 'x'], 'soon'],
    [['authorize', '--request', '/nowhere', '--out', 'x'], '/nowhere'],
    [['connect', 'https://localhost:1', '--scopes', 'a:b', '--request', 'GET'], 'GET'],
    [['connect', 'https://localhost:1', '--scopes', 'a:b', '--request', 'POST /x {'], 'JSON'],
    [['confirm', 'https://localhost:1', '--server', 'did:ath:x', '--approve', '--deny'], 'one of'],
    [['confirm', 'https://localhost:1', '--server', 'did:ath:x'], 'terminal'],
    [['init', '--alg', 'RS256'], 'ES256'],
  ])('%j: one sentence, and status 2', async (args, word) => {
    const { status, out, err } = await ath('agent', ...args)
    expect([status, out]).toEqual([2, ''])
    expect(err.toLowerCase()).toContain(word.toLowerCase())
    expect(err).not.toMatch(/ at .*:[0-9]+:[0-9]+/)
  })

  test('--help says what the exit statuses mean', async () => {
    const { status, out } = await ath('agent', '--help')
    expect(status).toBe(0)
    expect(out).toMatch(/4 +not allowed/)
    expect(out).toContain('ATH_PASSPHRASE')
  })
})
