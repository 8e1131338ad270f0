import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { HandshakeError } from 'athkit/errors'
import { z } from 'zod'
import { cancelOrder, orderOf, placeOrder, searchGoods, stagesOf, totalOf } from './orders.ts'

/** Whoever calls, as their grant says. */
export interface Caller {
  readonly userDid: string
  /** Refuses a value beyond the grant's restriction of that name. */
  checkRestriction(name: string, value: unknown): void
}

export interface Tool {
  /** What a grant needs for the tool to be there. */
  readonly scope: string
  add(server: McpServer, name: string, caller: Caller): void
}

/** Every tool, by name. There is no way to write one down without its scope. */
export const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  [
    'search_goods',
    {
      scope: 'goods:read',
      add: (server, name) =>
        server.registerTool(
          name,
          {
            description: 'Search products by a word of their name',
            inputSchema: { keyword: z.string().default('') },
          },
          ({ keyword }) => answer(searchGoods(keyword)),
        ),
    },
  ],
  [
    'follow_order',
    {
      scope: 'goods:read',
      add: (server, name, { userDid }) =>
        server.registerTool(
          name,
          { description: 'Follow an order until it has arrived', inputSchema: { order_id: z.string() } },
          async ({ order_id }, { sendNotification, _meta }) => {
            const order = orderOf(userDid, order_id)
            if (order === undefined) return failed('no such order')
            const progressToken = _meta?.progressToken
            const stages: string[] = []
            for await (const message of stagesOf(order)) {
              const progress = stages.push(message)
              if (progressToken === undefined) continue
              await sendNotification({
                method: 'notifications/progress',
                params: { progressToken, progress, message },
              })
            }
            return answer({ order_id, stages })
          },
        ),
    },
  ],
  [
    'place_order',
    {
      scope: 'order:create',
      add: (server, name, { userDid, checkRestriction }) =>
        server.registerTool(
          name,
          {
            description: 'Order a product',
            inputSchema: { goods_id: z.string(), quantity: z.number().int().min(1).max(1000) },
          },
          ({ goods_id, quantity }) => {
            const amount = totalOf(goods_id, quantity)
            if (amount === undefined) return failed('no such product')
            try {
              checkRestriction('order_amount_limit', amount)
            } catch (error) {
              if (error instanceof HandshakeError) return failed(error.error)
              throw error
            }
            return answer({ order_id: placeOrder(userDid), amount })
          },
        ),
    },
  ],
  [
    'cancel_order',
    {
      scope: 'order:create',
      add: (server, name, { userDid }) =>
        server.registerTool(
          name,
          { description: 'Cancel an order', inputSchema: { order_id: z.string() } },
          ({ order_id }) => (cancelOrder(userDid, order_id) ? answer({ order_id }) : failed('no such order')),
        ),
    },
  ],
])

const answer = (value: object): CallToolResult => ({
  content: [{ type: 'text', text: JSON.stringify(value) }],
})
const failed = (text: string): CallToolResult => ({ content: [{ type: 'text', text }], isError: true })
