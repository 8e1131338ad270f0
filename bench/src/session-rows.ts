import { createAgent } from 'athkit/agent'
import { randomBytes } from 'athkit/crypto'
import { createHandler } from 'athkit/http'
import { createService } from 'athkit/service'
import type { Operation, Store } from 'athkit/store'
import { memory } from 'athkit/store/memory'
import { authorizationFor, party, userParty } from './parties.ts'

/** What one session is in the store: its transactions, each in a partition of its own. */
export type SessionRows = readonly { readonly partition: string; readonly operations: readonly Operation[] }[]

const ORIGIN = 'https://bench.example'

/**
 * Takes down what a real session, shaken hands for and used once, leaves in the store, and writes it again under other names: so
 * many sessions need no handshake each, and are laid out as the service lays them out.
 */
export async function createSessionRows(): Promise<() => SessionRows> {
  const text = JSON.stringify(await recorded())
  // Whatever names this session alone: its DIDs, ids and hashes. Of the same length again, so that every row has its size.
  const names = [
    ...new Set(
      text.match(
        /did:ath:z[1-9A-HJ-NP-Za-km-z]{40,}|(?<![\w-])[\w-]{22}(?![\w-])|(?<![\w-])[\w-]{43}(?![\w-])/g,
      ),
    ),
  ]
  const pattern = new RegExp(names.join('|'), 'g')
  const fixed = text.split(pattern)
  const at = (text.match(pattern) ?? []).map((name) => names.indexOf(name))
  return () => {
    const fresh = names.map((name) => `${name.slice(0, -16)}${randomName(16)}`)
    return JSON.parse(fixed.map((part, i) => part + (fresh[at[i] ?? -1] ?? '')).join('')) as SessionRows
  }
}

const randomName = (length: number) =>
  Buffer.from(randomBytes(length)).toString('base64url').slice(0, length).replace(/[-_]/g, 'x')

async function recorded(): Promise<SessionRows> {
  const rows = new Map<string, Map<string, Operation>>()
  const inner = memory()
  const store: Store = {
    ...inner,
    transact: (partition, operations, now) => {
      for (const operation of operations) take(rows, partition, operation)
      return inner.transact(partition, operations, now)
    },
  }
  const identity = await party()
  const service = createService({
    identity,
    origin: ORIGIN,
    name: 'bench',
    scopes: { 'goods:read': { description: 'Search products', skipUserConfirmation: true } },
    users: { find: (did) => (did === userParty.did ? { account: '1' } : undefined) },
    store,
    onEvent: () => undefined,
  })
  const handle = createHandler(service)
  const client = await party()
  const agent = createAgent({
    identity: client,
    fetch: async (url, init) =>
      (await handle(new Request(url, init), { address: '192.0.2.1' })) ?? new Response(null, { status: 404 }),
  })
  const authorization = await authorizationFor(identity.did, client.did)
  const session = await agent.connect(ORIGIN, { authorization, scopes: ['goods:read'] })
  await session.fetch('/')
  return [...rows]
    .filter(([partition]) => !PASSING.test(partition))
    .map(([partition, operations]) => ({ partition, operations: [...operations.values()] }))
}

/** Rows of a handshake, which end soon after it. */
const PASSING = /^(?:handshake|m1|node):/

function take(rows: Map<string, Map<string, Operation>>, partition: string, operation: Operation): void {
  const known = rows.get(partition) ?? new Map<string, Operation>()
  if ('key' in operation && PASSING.test(operation.key)) return
  if (operation.op === 'put') {
    const { if: _, onRefusal: __, ...put } = operation
    known.set(`row ${put.key}`, put)
  } else if (operation.op === 'mark') known.set(`window ${operation.key}`, operation)
  else if (operation.op === 'delete' || operation.op === 'take') known.delete(`row ${operation.key}`)
  if (known.size > 0) rows.set(partition, known)
}
