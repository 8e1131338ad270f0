import type { Store } from 'athkit/store'
import type { Tally } from './shopper.ts'

const FIRST_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const MOST_LISTED = 1000

interface Order {
  readonly order_id: string
  readonly asked_as?: string
}

/** Orders acknowledged and not there, and keys under which there is more than one. */
export async function countOrders(store: Store, users: readonly string[], { acknowledged }: Tally) {
  const ids = new Set<string>()
  const byKey = new Map<string, number>()
  for (const user of users) {
    for (const { order_id, asked_as } of await ordersOf(store, user)) {
      ids.add(order_id)
      if (asked_as !== undefined) byKey.set(asked_as, (byKey.get(asked_as) ?? 0) + 1)
    }
  }
  return {
    orders: ids.size,
    lost: [...acknowledged.values()].filter(({ orderId }) => !ids.has(orderId)).length,
    doubled: [...byKey.values()].filter((count) => count > 1).length,
  }
}

async function ordersOf(store: Store, user: string): Promise<readonly Order[]> {
  const found: Order[] = []
  for (const letter of FIRST_LETTERS) {
    const list = { op: 'list', prefix: `order_${letter}`, limit: MOST_LISTED } as const
    const { results } = await store.transact(`shop:orders:${user}`, [list], Math.floor(Date.now() / 1000))
    if (results[0] === undefined || results[0].length === MOST_LISTED)
      throw new Error('too many orders to list')
    found.push(...results[0].map(({ value }) => JSON.parse(value) as Order))
  }
  return found
}
