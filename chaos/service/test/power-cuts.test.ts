import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '@athkit/cli/store'
import { type AgentSession, createAgent } from 'athkit/agent'
import { generateExportable, generateSigner, type Signer } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { AthError, HandshakeError } from 'athkit/errors'
import type { Store } from 'athkit/store'
import { createUser } from 'athkit/user'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { countAudit, type Told, tell } from '../src/audit.ts'
import { KINDS, startDatabase } from '../src/databases.ts'
import { countOrders } from '../src/orders.ts'
import { replay } from '../src/replays.ts'
import { hasRedis } from '../src/servers/redis.ts'

/**
 * Two nodes share a store. The first kills itself at one transaction of a handshake and of an order, before it is asked for or once it
 * has committed; the second goes on.
 */
const ORIGIN = 'http://localhost:9'
// Agents say each time that plaintext is only for development.
vi.spyOn(console, 'warn').mockImplementation(() => undefined)

const script = new URL('./node.mjs', import.meta.url).pathname
/** Longer than a process is taken for alive that beats no more (ATH-7.7). */
const UNTIL_DEAD_SECONDS = 20

type When = 'before' | 'after'

/** Every step, before it and after it, each on one of the three stores; `ATHKIT_POWER_CUTS=all` takes all on each. */
function sampleOf(steps: number, of: number): readonly { readonly step: number; readonly when: When }[] {
  const all = Array.from({ length: steps }, (_, i) => i + 1).flatMap((step) =>
    (['before', 'after'] as const).map((when) => ({ step, when })),
  )
  return process.env.ATHKIT_POWER_CUTS === 'all' ? all : all.filter((_, at) => at % KINDS.length === of)
}

interface Node {
  readonly child: ChildProcess
  readonly port: number
  isAlive: boolean
}

const party = (signer: Signer) => ({ did: didFromKey(signer.publicKey), signer })

describe.each(KINDS)('the power is cut at every step, on %s', (kind) => {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-power-'))
  const key = join(folder, 'store.key')
  let database: Awaited<ReturnType<typeof startDatabase>>
  let opened: { store: Store; close: () => Promise<void> }
  let pem = ''
  let serverDid = ''
  let user: { did: string; signer: Signer }
  let second: Node
  const isTested = kind !== 'redis' || hasRedis

  function launch(killAt: number, when: When): Promise<Node> {
    const config = { url: database.url, key, pem, user: user.did, origin: ORIGIN, killAt, when }
    const child = fork(script, [JSON.stringify(config)], { env: { ...process.env, NODE_NO_WARNINGS: '1' } })
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`a node ended with ${code}`)))
      child.once('message', ({ port }: { port: number }) => {
        const node: Node = { child, port, isAlive: true }
        child.removeAllListeners('exit')
        child.once('exit', () => {
          node.isAlive = false
          // Nobody waits here for as long as the other node would.
          if (second?.isAlive === true) second.child.send({ offset: UNTIL_DEAD_SECONDS })
        })
        resolve(node)
      })
    })
  }

  const asked = (node: Node) =>
    new Promise<number>((resolve) => {
      node.child.once('message', ({ asked: count }: { asked: number }) => resolve(count))
      node.child.send('count')
    })

  /** A step may be a transaction of the background, such as the audit's, which comes a little after what it is about. */
  const endsByItself = async ({ child, isAlive }: Node) => {
    if (!isAlive) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    const patience = AbortSignal.timeout(2000)
    await Promise.race([gone, new Promise((resolve) => patience.addEventListener('abort', resolve))])
  }

  const end = async (node: Node | undefined) => {
    if (node === undefined || !node.isAlive) return
    const gone = new Promise((resolve) => node.child.once('exit', resolve))
    node.child.kill('SIGKILL')
    await gone
  }

  beforeAll(async () => {
    if (!isTested) return
    database = await startDatabase(kind)
    opened = await openStore(database.url, [key])
    const exportable = await generateExportable()
    pem = exportable.pkcs8Pem
    serverDid = didFromKey(exportable.signer.publicKey)
    user = party(await generateSigner())
    second = await launch(-1, 'before')
  }, 60_000)
  afterAll(async () => {
    await end(second)
    await opened?.close()
    await database?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A handshake and an order; what the agent was told of, and what came of it. */
  async function run(first: Node, told: Told) {
    second.child.send({ offset: 0 })
    const answered: Uint8Array[] = []
    const at = (url: string) =>
      url.replace(ORIGIN, `http://127.0.0.1:${(first.isAlive ? first : second).port}`)
    const through = async (url: string, init: RequestInit) => {
      const response = await fetch(at(url), init)
      if (response.status === 200 && url.endsWith('/ath/sealed'))
        answered.push(new Uint8Array(init.body as never))
      return response
    }
    const agentParty = party(await generateSigner())
    const agent = createAgent({
      identity: agentParty,
      fetch: through as typeof fetch,
      allowPlaintextOnLoopback: true,
      sleep: () => new Promise((done) => setTimeout(done, 30)),
    })
    const session = await agent.connect(ORIGIN, {
      authorization: await createUser({ identity: user }).authorize({
        clientDid: agentParty.did,
        scopes: ['order:create'],
        audience: serverDid,
        expiresInSeconds: 3600,
      }),
      scopes: ['order:create'],
    })
    for (const event of ['identity proven', 'scopes decided'] as const) tell(told, event, agentParty.did)
    tell(told, 'token issued', session.grant.id)
    const orderKey = crypto.randomUUID()
    const outcome = await order(session, orderKey)
    const post = async (url: string, bytes: Uint8Array) => {
      const response = await fetch(url.replace(ORIGIN, `http://127.0.0.1:${second.port}`), {
        method: 'POST',
        headers: { 'content-type': 'application/ath-sealed' },
        body: bytes as never,
      })
      return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) }
    }
    const replays = []
    for (const bytes of answered) replays.push(await replay(bytes, { post }, ORIGIN, opened.store))
    return { orderKey, outcome, replays }
  }

  async function order(session: AgentSession, orderKey: string): Promise<string> {
    const headers = { 'Idempotency-Key': orderKey }
    try {
      const response = await session.request('POST /api/order', { json: {}, headers })
      return ((await response.json()) as { order_id: string }).order_id
    } catch (error) {
      if (error instanceof HandshakeError) return error.error
      if (error instanceof AthError) return error.trouble
      throw error
    }
  }

  test.skipIf(!isTested)(
    'nothing is lost, nothing is done twice, no replay is accepted',
    async () => {
      const untouched = await launch(-1, 'before')
      expect((await run(untouched, new Map())).outcome).toMatch(/^order_/)
      const steps = await asked(untouched)
      await end(untouched)
      expect(steps).toBeGreaterThan(15)

      const acknowledged = new Map<string, { orderId: string; userDid: string }>()
      const told: Told = new Map()
      const refused: string[] = []
      let kills = 0
      const sample = sampleOf(steps, KINDS.indexOf(kind))
      let next = launch(sample[0]?.step ?? -1, sample[0]?.when ?? 'before')
      for (const [at, { step, when }] of sample.entries()) {
        const first = await next
        const following = sample[at + 1]
        if (following !== undefined) next = launch(following.step, following.when)
        const { outcome, orderKey, replays } = await run(first, told)
        await endsByItself(first)
        if (!first.isAlive) kills++
        await end(first)
        expect(replays, `${when} transaction ${step}`).not.toContain('accepted')
        if (outcome.startsWith('order_')) acknowledged.set(orderKey, { orderId: outcome, userDid: user.did })
        else refused.push(outcome)
      }
      const tally = { handshakes: sample.length, acknowledged, told, refused: new Map(), unclear: [] }
      expect(await countOrders(opened.store, [user.did], tally)).toMatchObject({ lost: 0, doubled: 0 })
      expect(await countAudit(opened.store, told)).toMatchObject({ lost: 0, findings: [] })
      // A process that died with an order in hand leaves one clear error; whatever else there was is an order.
      expect(refused.filter((name) => name !== 'outcome_unknown')).toEqual([])
      expect(acknowledged.size).toBeGreaterThan(sample.length / 2)
      expect(kills).toBeGreaterThanOrEqual(sample.length - 3)
    },
    180_000,
  )
})
