import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPeople } from './ath.ts'

const { at, ath, shop, end } = createPeople()

let service: { origin: string; server_did: string }
let did = ''
const store = () => ['--store', `sqlite:${at('shop.db')}`]
const SCOPES = ['--scopes', 'goods:read,order:create']
const connect = (...more: string[]) =>
  ath(
    'agent',
    'connect',
    service.origin,
    ...['--ca', at('ca.pem'), '--server', service.server_did],
    ...SCOPES,
    ...['--authorization', at('m0'), '--json'],
    ...more,
  )
const agents = async (...args: string[]) =>
  (await ath('operator', 'agents', ...args, ...store(), '--json')).last

beforeAll(async () => {
  const [agent, user] = await Promise.all([ath('agent', 'init', '--json'), ath('user', 'init', '--json')])
  did = String(agent.last.did)
  writeFileSync(at('policy.json'), '{"approval": "required"}')
  service = await shop(
    ...['--enrol', String(user.last.did), '--ask', 'never', '--policy', at('policy.json')],
    ...['--db', at('shop.db')],
  )
  const restrictions = JSON.stringify({ order_budget: '100/day' })
  const args = ['--client', did, ...SCOPES, '--aud', service.server_did, '--restrictions', restrictions]
  expect(await ath('user', 'authorize', ...args, '--out', at('m0'), '--json')).toMatchObject({ status: 0 })
}, 30_000)
afterAll(end)

describe('the operator, from another process, on the service’s own database', () => {
  test('approves an agent that waits, and suspends it: its session ends at once', {
    timeout: 60_000,
  }, async () => {
    expect(await connect()).toMatchObject({ status: 4, last: { ok: false, error: 'policy_denied' } })
    expect(await agents('list')).toMatchObject({
      ok: true,
      agents: [{ did, state: 'pending', info: { name: 'AI Shopping Assistant' } }],
    })
    expect(await agents('approve', did, '--note', 'contract 17', '--by', 'alice')).toEqual({
      ok: true,
      did,
      state: 'approved',
    })
    expect(await connect('--keep')).toMatchObject({ status: 0, last: { ok: true } })
    const goods = () => ath('agent', 'request', 'GET /api/goods?keyword=phone', '--json')
    expect(await goods()).toMatchObject({ status: 0, last: { status: 200 } })

    const suspended = await ath(
      'operator',
      'agents',
      'suspend',
      did,
      '--reason',
      'orders\nat night',
      ...store(),
    )
    expect(suspended).toMatchObject({ status: 0, out: `Suspended: ${did}. Grants that it had: 1.\n` })
    expect((await goods()).last).toMatchObject({ ok: false })
    expect((await connect()).last).toMatchObject({ error: 'policy_denied' })
    const listed = await ath('operator', 'agents', 'list', '--state', 'suspended', ...store())
    expect(listed.out).toMatch(`suspended  ${did}  (AI Shopping Assistant`)
    // What somebody noted is shown, and does not draw on the terminal.
    expect(listed.out).not.toContain('orders\nat night')
    expect((await agents('list', '--state', 'pending')).agents).toEqual([])
  })

  test('a budget that the user set is spent once, and the shop’s policy follows its file', {
    timeout: 60_000,
  }, async () => {
    await agents('approve', did)
    const order = (goods: string) => `POST /api/order {"goods_id":"${goods}","quantity":1}`
    expect(await connect('--keep')).toMatchObject({ status: 0 })
    const orders = await Promise.all([1, 2, 3, 4].map(() => ath('agent', 'request', order('200'), '--json')))
    expect(orders.filter(({ last }) => last.status === 201)).toHaveLength(2)
    const refused = orders.filter(({ last }) => last.error === 'restriction_violated')
    expect(refused).toHaveLength(2)
    // The person at the keyboard reads what remains.
    expect(String(refused[0]?.last.said)).toContain('order_budget: 98 of 100 spent, 2 remains until')
    writeFileSync(at('policy.json'), JSON.stringify({ agents: { [did]: { allow: false } } }))
    await expect
      .poll(async () => (await ath('agent', 'request', 'GET /api/goods?keyword=x', '--json')).last.error, {
        timeout: 30_000,
        interval: 500,
      })
      .toBe('policy_denied')
  })

  test('wrong usage says what is right', async () => {
    for (const [args, says] of [
      [['list'], '--store'],
      [['list', '--store', `sqlite:${at('none.db')}`], 'there is no'],
      [['approve', 'assistant', ...store()], 'is no DID'],
      [['suspend', did, ...store()], '--reason'],
      [['list', '--state', 'happy', ...store()], 'pending'],
    ] as const) {
      const { status, err } = await ath('operator', 'agents', ...args)
      expect([status, err]).toEqual([2, expect.stringContaining(says)])
    }
  })
})
