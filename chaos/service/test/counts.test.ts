import { expect, test } from 'vitest'
import { memory } from '../../../packages/athkit/src/store/memory.ts'
import { countAudit, type Told, tell } from '../src/audit.ts'
import { parseChaosOptions } from '../src/options.ts'
import { countOrders } from '../src/orders.ts'
import { replay } from '../src/replays.ts'

/** The counts are worth what they find: each finds what it looks for. */
test('an order that was acknowledged and is not there is lost; two under one key are doubled', async () => {
  const store = memory()
  const order = (id: string, askedAs: string) =>
    ({ op: 'put', key: id, value: JSON.stringify({ order_id: id, asked_as: askedAs }) }) as const
  await store.transact(
    'shop:orders:did:ath:user',
    [order('order_A', 'one'), order('order_B', 'one'), order('order_-', 'two')],
    0,
  )
  const acknowledged = new Map([
    ['one', { orderId: 'order_A', userDid: 'did:ath:user' }],
    ['three', { orderId: 'order_C', userDid: 'did:ath:user' }],
  ])
  const tally = { handshakes: 0, acknowledged, told: new Map(), refused: new Map(), unclear: [] }
  expect(await countOrders(store, ['did:ath:user'], tally)).toEqual({ orders: 3, lost: 1, doubled: 1 })
})

test('an entry in no chain and no outbox is lost, as often as it is missing', async () => {
  const store = memory()
  const fact = { event: 'keys rotated', timestamp: 0, grant_id: 'g', client_did: 'c', detail: {} }
  const value = JSON.stringify({ process: 'p', facts: [fact] })
  await store.transact('p', [{ op: 'append', id: 'e', value }], 0)
  const told: Told = new Map()
  tell(told, 'keys rotated', 'g')
  expect(await countAudit(store, told)).toEqual({ entries: 1, lost: 0, findings: [] })
  tell(told, 'keys rotated', 'g')
  tell(told, 'token issued', 'g')
  expect((await countAudit(store, told)).lost).toBe(2)
})

test('a replay that is answered under the seal, and that nobody can look into, was accepted', async () => {
  const bytes = new Uint8Array(60)
  bytes[0] = 1
  const answering = (status: number) => ({ post: async () => ({ status, body: new Uint8Array() }) })
  expect(await replay(bytes, answering(200), 'https://x', memory())).toBe('accepted')
  expect(await replay(bytes, answering(401), 'https://x', memory())).toBe('outside')
})

test('options that are none are said so', () => {
  expect(() => parseChaosOptions(['--store', 'mysql'])).toThrow(/sqlite, postgres, redis/)
  expect(() => parseChaosOptions(['--nodes', '0'])).toThrow(/--nodes is a whole number/)
  expect(parseChaosOptions(['--store', 'redis', '--kill-every', '2'])).toMatchObject({
    store: 'redis',
    killEverySeconds: 2,
  })
})
