import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { athHono } from 'athkit/adapters/hono'
import { HandshakeError } from 'athkit/errors'
import { checkRestriction, refusalResponse, requireGrant, type Service } from 'athkit/service'
import { Hono } from 'hono'
import { TOOLS } from './tools.ts'

/**
 * MCP over streamable HTTP, behind ATH. Every request is judged by the grant that it came under, and by nothing that was said before:
 * so each has an MCP server of its own, with the tools of that grant.
 */
export function createApp(service: Service): Hono {
  const app = new Hono()
  app.use(athHono(service, app))

  app.post('/mcp', async (c) => {
    const request = c.req.raw
    try {
      requireGrant(request)
      const body: unknown = await request
        .clone()
        .json()
        .catch(() => undefined)
      for (const tool of toolsCalledIn(body)) requireGrant(request, TOOLS.get(tool)?.scope)
    } catch (error) {
      if (error instanceof HandshakeError) return refusalResponse(error, Math.floor(Date.now() / 1000))
      throw error
    }
    const transport = new WebStandardStreamableHTTPServerTransport()
    await serverFor(request).connect(transport)
    return transport.handleRequest(request)
  })
  // Without a state of its own the server has nothing to say unasked.
  app.all('/mcp', (c) => c.body(null, 405))
  return app
}

/** The MCP server that this grant sees: what is outside it is not listed. */
function serverFor(request: Request): McpServer {
  const { scopes, userDid } = requireGrant(request)
  const server = new McpServer({ name: 'shop', version: '0.1.0' }, { capabilities: { tools: {} } })
  const caller = {
    userDid,
    checkRestriction: (name: string, value: unknown) => checkRestriction(request, name, value),
  }
  for (const [name, { scope, add }] of TOOLS) if (scopes.includes(scope)) add(server, name, caller)
  return server
}

/** JSON-RPC, one message or a batch; what is neither is for the SDK to refuse. */
function toolsCalledIn(body: unknown): readonly string[] {
  return [body].flat().flatMap((message) => {
    const { method, params } = (message ?? {}) as { method?: unknown; params?: { name?: unknown } }
    return method === 'tools/call' && typeof params?.name === 'string' ? [params.name] : []
  })
}
