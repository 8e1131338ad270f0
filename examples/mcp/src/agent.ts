/** The agent's process: an MCP client whose every request is sealed. It ends with what it saw, for the one that started it to judge. */
import { createInterface } from 'node:readline/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { createAgent } from 'athkit/agent'
import { generateSigner } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { PermissionError } from 'athkit/errors'

const signer = await generateSigner()
const agent = createAgent({ identity: { did: didFromKey(signer.publicKey), signer } })
console.log(JSON.stringify({ did: agent.did }))

/** An MCP client in a session of its own, for as long as the work takes. */
async function inSession<T>(
  origin: string,
  authorization: string,
  scopes: string[],
  work: (client: Client) => Promise<T>,
) {
  // #region connect
  const session = await agent.connect(origin, { authorization, scopes })
  const client = new Client({ name: 'assistant', version: '0.1.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', origin), { fetch: session.fetch }))
  // #endregion connect
  try {
    return await work(client)
  } finally {
    await client.close()
    await session.close()
  }
}

const toolsOf = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name)

type Arguments = Record<string, string | number>

/** The JSON that a tool answers with, or the text of its failure. */
async function call(client: Client, name: string, args: Arguments, onStage?: (stage: string) => void) {
  const { content, isError } = (await client.callTool({ name, arguments: args }, undefined, {
    ...(onStage === undefined ? {} : { onprogress: ({ message = '' }) => onStage(message) }),
  })) as CallToolResult
  const [first] = content
  const text = first?.type === 'text' ? first.text : ''
  return isError === true ? text : JSON.parse(text)
}

for await (const line of createInterface({ input: process.stdin })) {
  const { origin, readOnly, full } = JSON.parse(line)

  const reader = await inSession(origin, readOnly, ['goods:read'], async (client) => ({
    tools: await toolsOf(client),
    found: await call(client, 'search_goods', { keyword: 'phone' }),
    order: await call(client, 'place_order', { goods_id: '123', quantity: 1 }).catch((error: unknown) =>
      error instanceof PermissionError ? error.error : String(error),
    ),
  }))

  const buyer = await inSession(origin, full, ['goods:read', 'order:create'], async (client) => {
    const placed = await call(client, 'place_order', { goods_id: '123', quantity: 1 })
    const tooMuch = await call(client, 'place_order', { goods_id: '123', quantity: 2 })
    const seen: string[] = []
    // It is cancelled as soon as the first word of it comes: had the words waited for the result, it would have arrived.
    const cancel = () => call(client, 'cancel_order', { order_id: placed.order_id })
    let cancelled: Promise<unknown> | undefined
    const followed = await call(client, 'follow_order', { order_id: placed.order_id }, (stage) => {
      seen.push(stage)
      cancelled ??= cancel()
    })
    await cancelled
    return { tools: await toolsOf(client), amount: placed.amount, tooMuch, seen, stages: followed.stages }
  })

  const unsealed = await fetch(new URL('/mcp', origin), { method: 'POST', body: '{}' })
  console.log(JSON.stringify({ reader, buyer, unsealed: await unsealed.json() }))
}
