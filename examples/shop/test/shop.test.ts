import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createAgent } from '../../../packages/athkit/src/agent/index.ts'
import { generateSigner } from '../../../packages/athkit/src/crypto/keys.ts'
import { didFromKey } from '../../../packages/athkit/src/did/did.ts'
import { createUser } from '../../../packages/athkit/src/user/index.ts'
import { fetchWith } from './fetch-with.ts'

const folder = mkdtempSync(join(tmpdir(), 'athkit-shop-test-'))
let child: ChildProcess | undefined
afterEach(() => {
  child?.kill('SIGTERM')
  rmSync(folder, { recursive: true, force: true })
})

const party = async () => {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}

const start = (args: string[]) =>
  new Promise<{ origin: string; server_did: string }>((resolve, reject) => {
    const script = new URL('../dist/shop.js', import.meta.url).pathname
    child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.once('exit', (code) => reject(new Error(`the shop ended with ${code}`)))
    child.stdout?.once('data', (data) => resolve(JSON.parse(String(data))))
  })

test('an outside agent and user shake hands with it over TLS 1.3, order, follow the order', async () => {
  const [agentParty, userParty] = [await party(), await party()]
  const caFile = join(folder, 'ca.pem')
  const shop = await start([
    '--port',
    '0',
    '--ca-file',
    caFile,
    '--enrol',
    userParty.did,
    '--ask',
    'never',
    '--db',
    join(folder, 'shop.db'),
  ])
  const protocols = new Set<string | null>()
  const fetch = fetchWith(readFileSync(caFile, 'utf8'), protocols)
  const user = createUser({ identity: userParty })
  const scopes = ['goods:read', 'order:create', 'user:profile']
  const authorization = await user.authorize({
    clientDid: agentParty.did,
    scopes,
    audience: shop.server_did,
    expiresInSeconds: 600,
  })
  const agent = createAgent({ identity: agentParty, fetch })
  for (const origin of [shop.origin, shop.origin.replace('localhost', '127.0.0.1')]) {
    const session = await agent.connect(origin, { authorization, scopes })
    expect(session.grant.restrictions).toEqual({ rate_limit: '100/minute', order_amount_limit: 5000 })
    const placed = await session.request('POST /api/order', { json: { goods_id: '200', quantity: 3 } })
    const order = (await placed.json()) as { order_id: string; amount: number }
    expect([placed.status, order.amount]).toEqual([201, 147])
    const events = await (await session.fetch(`/api/orders/${order.order_id}/events`)).text()
    expect(events.match(/^data: /gm)).toHaveLength(10)
    expect(await (await session.fetch('/api/profile')).json()).toEqual({ account: 'account-1' })
    expect(
      (await session.request('POST /api/order', { json: { goods_id: 'none', quantity: 1 } })).status,
    ).toBe(400)
    await session.rotate()
    await session.renew()
    expect((await session.fetch('/api/orders/demo/events')).status).toBe(200)
    await session.close()
  }
  expect([...protocols]).toEqual(['TLSv1.3'])
  const unsealed = await fetch(`${shop.origin}/api/goods`, { method: 'GET' })
  expect([unsealed.status, await unsealed.json()]).toEqual([
    401,
    expect.objectContaining({ error: 'token_invalid' }),
  ])
}, 30_000)
