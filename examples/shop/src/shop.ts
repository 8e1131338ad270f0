/** The shop by itself: `npm run shop -- --help`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { toNodeListener } from 'athkit/adapters/node'
import { atMost, createService, type ServiceEvent, type Timeouts } from 'athkit/service'
import type { Store } from 'athkit/store'
import { createApi } from './api.ts'
import { makeLocalCertificates } from './certificates.ts'
import { identityIn } from './identity.ts'
import { narrator, report } from './narrator.ts'
import { openStore } from './open-store.ts'
import { parseShopOptions, SHOP_USAGE, type ShopOptions, type TimeoutName } from './options.ts'
import { storyOf } from './shop-story.ts'

const DESCRIPTIONS = {
  'goods:read': 'Search products and follow orders',
  'order:create': 'Place orders',
  'user:profile': 'Read your profile',
}

const TIMEOUT_OF: Record<TimeoutName, keyof Timeouts> = {
  'confirm-timeout': 'confirm',
  'handshake-timeout': 'handshake',
  provisional: 'provisional',
  'rotation-overlap': 'rotationOverlap',
  'rotation-supersede': 'rotationSupersede',
  'token-ttl': 'tokenTtl',
  'denial-backoff': 'denialBackoff',
}

async function main(options: ShopOptions): Promise<void> {
  const { servers, port } = await listen(options)
  const { store, close } = await openStore(options.store)
  const identity = await identityIn(options.identity ?? keyBeside(options.store))
  const loopback = ['localhost', '127.0.0.1', '[::1]'].map((host) => `https://${host}:${port}`)
  const origins = options.origins.length > 0 ? options.origins : loopback
  const service = serviceOf(options, { identity, store, origins })
  const api = createApi(service, store)
  const listener = toNodeListener((request, { address }) => api.fetch(request, { address }))
  for (const server of servers) server.on('request', listener)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
      void close().then(() => process.exit(0))
    })
  }
  report({ origin: origins[0], server_did: identity.did, port })
}

/** A file of SQLite has its key beside it, so that a shop that starts again is the same shop. */
const keyBeside = (store: string): string | undefined =>
  store.startsWith('sqlite:') && store !== 'sqlite::memory:'
    ? `${store.slice('sqlite:'.length)}.key`
    : undefined

interface Parts {
  readonly identity: Awaited<ReturnType<typeof identityIn>>
  readonly store: Store
  readonly origins: readonly string[]
}

function serviceOf(options: ShopOptions, { identity, store, origins }: Parts) {
  const say = narrator('shop')
  const skipUserConfirmation = options.ask === 'never'
  return createService({
    identity,
    origins,
    name: 'The Shop',
    appId: 'shop',
    scopes: Object.fromEntries(
      Object.entries(DESCRIPTIONS).map(([scope, description]) => [
        scope,
        { description, skipUserConfirmation },
      ]),
    ),
    users: {
      find: (did) =>
        options.enrol.includes(did) ? { account: `account-${options.enrol.indexOf(did) + 1}` } : undefined,
    },
    clientInfo: () => ({ name: 'AI Shopping Assistant', developer: 'known by its key alone' }),
    store,
    restrictions: {
      ...(options.rateLimit === undefined ? {} : { rate_limit: options.rateLimit }),
      order_amount_limit: 5000,
    },
    enforcers: new Map([['order_amount_limit', atMost]]),
    tokenMaxTtlSeconds: 7200,
    timeouts: Object.fromEntries([...options.timeouts].map(([name, seconds]) => [TIMEOUT_OF[name], seconds])),
    limits: { exempt: (address) => ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(address) },
    onEvent: (event: ServiceEvent) => {
      if (event.type === 'failed') console.error(event.where, event.cause)
      const text = options.narrate ? storyOf(event) : undefined
      if (text !== undefined) say(text, event.type === 'confirmation_sent' ? '6' : undefined)
    },
  })
}

/** On both loopback addresses, under one port, before anything else: the service has to know its origin. */
async function listen(options: ShopOptions): Promise<{ servers: readonly Server[]; port: number }> {
  const { cert, key } = await certificates(options)
  const make = () => createServer({ cert, key, minVersion: 'TLSv1.3', ...PATIENCE })
  const first = await bound(make(), options.port, '127.0.0.1')
  const { port } = first.address() as AddressInfo
  // A machine without IPv6 has one address to listen on.
  const second = await bound(make(), port, '::1').catch(() => undefined)
  return { servers: second === undefined ? [first] : [first, second], port }
}

/** Milliseconds for whoever sends slowly, or nothing: connections are not held for nothing. Streamed answers are not requests. */
const PATIENCE = {
  handshakeTimeout: 10_000,
  headersTimeout: 15_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 5000,
}

async function certificates({ certFile, keyFile, caFile }: ShopOptions) {
  if (certFile !== undefined && keyFile !== undefined) {
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  }
  const made = await makeLocalCertificates()
  if (caFile !== undefined) writeFileSync(caFile, made.ca)
  return made
}

function bound(server: Server, port: number, host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve(server.off('error', reject)))
  })
}

try {
  const args = process.argv.slice(2)
  if (args.includes('--help')) console.log(SHOP_USAGE)
  else await main(parseShopOptions(args))
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${SHOP_USAGE}`)
  process.exit(2)
}
