/** The MCP server's process. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { toNodeListener } from 'athkit/adapters/node'
import { generateSigner } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { atMost, createService } from 'athkit/service'
import { memory } from 'athkit/store/memory'
import { createApp } from './app.ts'

const text = { type: 'string', default: '' } as const
const { values } = parseArgs({ options: { cert: text, key: text, enrol: text } })
const server = createServer({
  cert: readFileSync(values.cert),
  key: readFileSync(values.key),
  minVersion: 'TLSv1.3',
})
server.listen(0, '127.0.0.1', async () => {
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const signer = await generateSigner()
  const identity = { did: didFromKey(signer.publicKey), signer }
  // The operator's word: a credential that names this server is enough, nobody is asked again (ATH-6.3.4).
  const skipUserConfirmation = true
  const service = createService({
    identity,
    origins: [origin],
    name: 'The Shop’s MCP server',
    appId: 'shop-mcp',
    scopes: {
      'goods:read': { description: 'Search products and follow orders', skipUserConfirmation },
      'order:create': { description: 'Place and cancel orders', skipUserConfirmation },
    },
    users: { find: (did) => (did === values.enrol ? { account: 'account-1' } : undefined) },
    store: memory(),
    enforcers: new Map([['order_amount_limit', atMost]]),
  })
  const app = createApp(service)
  server.on(
    'request',
    toNodeListener((request, { address }) => app.fetch(request, { address }), { service }),
  )
  console.log(JSON.stringify({ origin, server_did: identity.did }))
})
