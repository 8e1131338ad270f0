import { athHono, enforce, requireScope } from 'athkit/adapters/hono'
import { randomId } from 'athkit/crypto'
import { grantOf, type Service } from 'athkit/service'
import type { Store } from 'athkit/store'
import { type Context, Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { accountRoutes } from './account/routes.ts'
import { findGoods, searchGoods } from './goods.ts'

/** An account's orders lie together, and apart from those of others. */
const ordersOf = (user: string | undefined) => `shop:orders:${user}`
const STAGES = [
  'received',
  'paid',
  'picked',
  'packed',
  'labelled',
  'handed over',
  'in transit',
  'at the depot',
  'out',
  'delivered',
]
const MOST_OF_ONE = 1000

/** The shop as its owner wrote it; what athkit adds are the first line and one or two words on each route. */
export function createApi(service: Service, store: Store): Hono {
  const app = new Hono()
  app.use(athHono(service, app))

  app.get('/api/goods', requireScope('goods:read'), (c) =>
    c.json({ goods: searchGoods(c.req.query('keyword')) }),
  )

  app.post(
    '/api/order',
    requireScope('order:create'),
    enforce('order_amount_limit', total),
    enforce('order_budget', total),
    async (c) => {
      const order = await orderIn(c.req.json())
      if (order === undefined)
        return c.json({ error: 'goods_id of something we sell, quantity from 1 to 1000' }, 400)
      const placed = {
        order_id: randomId('order_'),
        goods_id: order.goods.goods_id,
        quantity: order.quantity,
        amount: totalOf(order),
      }
      const user = grantOf(c.req.raw)?.userDid
      const value = JSON.stringify({ ...placed, asked_as: c.req.header('idempotency-key') })
      const put = { op: 'put', key: placed.order_id, value, if: 'absent' } as const
      await store.transact(ordersOf(user), [put], now())
      return c.json(placed, 201)
    },
  )

  app.get('/api/orders/:id/events', requireScope('goods:read'), async (c) => {
    const id = c.req.param('id')
    if (id !== 'demo' && !(await isOrderOf(store, grantOf(c.req.raw)?.userDid, id)))
      return c.json({ error: 'no such order' }, 404)
    return streamSSE(c, async (stream) => {
      for (const [index, stage] of STAGES.entries()) {
        await stream.writeSSE({
          event: 'progress',
          id: String(index),
          data: JSON.stringify({ order_id: id, stage }),
        })
        await stream.sleep(100)
      }
    })
  })

  app.get('/api/profile', requireScope('user:profile'), (c) =>
    c.json({ account: grantOf(c.req.raw)?.account }),
  )

  // In the browser of the account's holder, and no agent's business.
  if (service.enrolment !== undefined) {
    app.route(
      '/account',
      accountRoutes(service, service.enrolment, store, String(service.discovery.server_did)),
    )
  }
  return app
}

interface Order {
  readonly goods: NonNullable<ReturnType<typeof findGoods>>
  readonly quantity: number
}

async function orderIn(body: Promise<unknown>): Promise<Order | undefined> {
  const { goods_id, quantity } = ((await body.catch(() => null)) ?? {}) as Record<string, unknown>
  const goods = findGoods(goods_id)
  const fits =
    typeof quantity === 'number' && Number.isInteger(quantity) && quantity >= 1 && quantity <= MOST_OF_ONE
  return goods === undefined || !fits ? undefined : { goods, quantity }
}

const total = async (_: Request, c: Context): Promise<number> => totalOf(await orderIn(c.req.json()))

/** What is no order costs nothing, and is refused by the handler. */
const totalOf = (order: Order | undefined): number =>
  order === undefined ? 0 : order.goods.price * order.quantity

async function isOrderOf(store: Store, user: string | undefined, id: string): Promise<boolean> {
  const { results } = await store.transact(ordersOf(user), [{ op: 'get', key: id }], now())
  return results[0] !== undefined
}

const now = (): number => Math.floor(Date.now() / 1000)
