import { setTimeout as sleep } from 'node:timers/promises'
import { randomId } from 'athkit/crypto'

/** Prices in whole units of the shop's currency. */
const GOODS = [
  { goods_id: '123', name: 'Phone Mini', price: 2999 },
  { goods_id: '200', name: 'Phone case', price: 49 },
  { goods_id: '300', name: 'Earbuds', price: 399 },
]

export const searchGoods = (keyword: string) =>
  GOODS.filter(({ name }) => name.toLowerCase().includes(keyword.toLowerCase()))

export function totalOf(goodsId: string, quantity: number): number | undefined {
  const goods = GOODS.find(({ goods_id }) => goods_id === goodsId)
  return goods === undefined ? undefined : goods.price * quantity
}

interface Order {
  readonly user: string
  readonly cancelled: AbortController
}

const orders = new Map<string, Order>()

export function placeOrder(user: string): string {
  const id = randomId('order_')
  orders.set(id, { user, cancelled: new AbortController() })
  return id
}

/** Nobody sees the orders of others, or learns that they are there. */
export function orderOf(user: string, id: string): Order | undefined {
  const order = orders.get(id)
  return order?.user === user ? order : undefined
}

export function cancelOrder(user: string, id: string): boolean {
  const order = orderOf(user, id)
  order?.cancelled.abort()
  return order !== undefined
}

const STAGES = [
  'received',
  'paid',
  'picked',
  'packed',
  'handed over',
  'in transit',
  'at the depot',
  'delivered',
]
const STAGE_MS = 2000

/** Where the order is, as it moves on; the last word is `delivered` or `cancelled`. */
export async function* stagesOf({ cancelled: { signal } }: Order): AsyncGenerator<string> {
  for (const stage of STAGES) {
    if (signal.aborted) break
    yield stage
    await sleep(STAGE_MS, undefined, { signal }).catch(() => undefined)
  }
  if (signal.aborted) yield 'cancelled'
}
