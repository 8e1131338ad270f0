/** The shop by itself: `npm run shop -- --help`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { listenOnLoopback, makeLocalCertificates } from '@athkit/cli/loopback'
import { openStore } from '@athkit/cli/store'
import { toNodeListener } from 'athkit/adapters/node'
import { createHandler, createHealth } from 'athkit/http'
import { followPolicyFile, readPolicyFile } from 'athkit/policy-node'
import { storePins } from 'athkit/registry'
import {
  atMost,
  type Budget,
  budget,
  createService,
  type Enforcer,
  type LinkedUsers,
  type ServiceEvent,
  storedUsers,
  type Timeouts,
} from 'athkit/service'
import type { Store } from 'athkit/store'
import { createApi } from './api.ts'
import { clientInfo } from './client-info.ts'
import { type Identity, identityIn, registered } from './identity.ts'
import { narrator, report } from './narrator.ts'
import { parseShopOptions, SHOP_USAGE, type ShopOptions, type TimeoutName } from './options.ts'
import { registryOf, resolverOf } from './resolver.ts'
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
  // Before anything else: the service has to know its origin.
  const { servers, port } = await listenOnLoopback(await certificates(options), options.port, options.host)
  const { store, close } = await openStore(options.store, options.storeKeys)
  const identity = await ownIdentity(options)
  const users = storedUsers(store)
  for (const [index, did] of options.enrol.entries()) await users.link(did, `account-${index + 1}`)
  const loopback = ['localhost', '127.0.0.1', '[::1]'].map((host) => `https://${host}:${port}`)
  const origins = options.origins.length > 0 ? options.origins : loopback
  const service = serviceOf(options, { identity, store, users, origins })
  if (options.policy !== undefined) followPolicyFile(options.policy, service)
  const api = createApi(service, store)
  const health = createHealth(service)
  const ath = createHandler(service)
  const listener = toNodeListener(
    async (request, caller) =>
      (await ath(request, caller)) ?? (await health(request)) ?? api.fetch(request, caller),
    { service },
  )
  for (const server of servers) server.on('request', listener)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const server of servers) server.close()
      void service
        .drain({ withinSeconds: DRAIN_SECONDS })
        .catch((cause: unknown) => console.error('drain', cause))
        .then(close)
        .then(() => process.exit(0))
    })
  }
  report({ origin: origins[0], server_did: identity.did, port })
}

/** For requests that are open when the shop is told to stop. */
const DRAIN_SECONDS = 5

async function ownIdentity(options: ShopOptions): Promise<Identity> {
  const identity = await identityIn(options.identity ?? keyBeside(options.store))
  const registry = registryOf(options)
  const { did } = options
  return did === undefined || registry === undefined ? identity : registered(identity, did, registry)
}

/** A file of SQLite has its key beside it, so that a shop that starts again is the same shop. */
const keyBeside = (store: string): string | undefined =>
  store.startsWith('sqlite:') && store !== 'sqlite::memory:'
    ? `${store.slice('sqlite:'.length)}.key`
    : undefined

interface Parts {
  readonly identity: Identity
  readonly users: LinkedUsers
  readonly store: Store
  readonly origins: readonly string[]
}

function serviceOf(options: ShopOptions, { identity, users, store, origins }: Parts) {
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
    users,
    resolver: resolverOf(options, storePins(store)),
    clientInfo,
    store,
    restrictions: {
      ...(options.rateLimit === undefined ? {} : { rate_limit: options.rateLimit }),
      order_amount_limit: 5000,
    },
    enforcers: new Map<string, Enforcer | Budget>([
      ['order_amount_limit', atMost],
      ['order_budget', budget()],
    ]),
    ...(options.policy === undefined ? {} : { policy: readPolicyFile(options.policy) }),
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

async function certificates({ certFile, keyFile, caFile }: ShopOptions) {
  if (certFile !== undefined && keyFile !== undefined) {
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  }
  const made = await makeLocalCertificates()
  if (caFile !== undefined) writeFileSync(caFile, made.ca)
  return made
}

try {
  const args = process.argv.slice(2)
  if (args.includes('--help')) console.log(SHOP_USAGE)
  else await main(parseShopOptions(args))
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${SHOP_USAGE}`)
  process.exit(2)
}
