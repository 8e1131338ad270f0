// A shop of one route, which kills itself at one transaction with its store: before it is asked for, or once it has committed.
import { createServer } from 'node:http'
import { openStore } from '@athkit/cli/store'
import { toNodeListener } from 'athkit/adapters/node'
import { signerFromPkcs8 } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { createHandler } from 'athkit/http'
import { atMost, createService, grantOf, requireGrant } from 'athkit/service'

const { url, key, pem, user, origin, killAt, when } = JSON.parse(process.argv[2])
const { store: below } = await openStore(url, [key])
/** Counted from the first request on. */
let asked = Number.NEGATIVE_INFINITY
let offset = 0

const die = () => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => undefined)
}

const store = {
  ...below,
  async transact(partition, operations, now) {
    const isIt = ++asked === killAt
    if (isIt && when === 'before') await die()
    const outcome = await below.transact(partition, operations, now)
    if (isIt) await die()
    return outcome
  },
}

async function order(request) {
  requireGrant(request, 'order:create')
  const placed = {
    order_id: `order_${crypto.randomUUID()}`,
    asked_as: request.headers.get('idempotency-key'),
  }
  const put = { op: 'put', key: placed.order_id, value: JSON.stringify(placed) }
  await store.transact(`shop:orders:${grantOf(request).userDid}`, [put], Math.floor(Date.now() / 1000))
  return Response.json(placed, { status: 201 })
}

const signer = await signerFromPkcs8(pem)
const service = createService({
  identity: { did: didFromKey(signer.publicKey), signer },
  origin,
  name: 'Shop',
  scopes: { 'order:create': { description: 'Place orders', skipUserConfirmation: true } },
  users: { find: (did) => (did === user ? { account: 'one' } : undefined) },
  store,
  restrictions: { order_amount_limit: 10 },
  enforcers: new Map([['order_amount_limit', atMost]]),
  allowPlaintextOnLoopback: true,
  limits: { exempt: () => true },
  onEvent: (event) => {
    if (event.type === 'failed') console.error(event.where, event.cause)
  },
  clock: () => Date.now() + offset * 1000,
})
const handle = createHandler(service)
service.setApplication(order)

process.on('message', (message) => {
  if (message === 'count') process.send({ asked })
  else offset = message.offset
})
const server = createServer(
  toNodeListener((request, caller) => {
    if (asked < 0) asked = 0
    return handle(request, caller)
  }),
)
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
