import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '@athkit/cli/store'
import { makeLocalCertificates } from '@athkit-examples/shop/certificates'
import { countAudit } from './audit.ts'
import { startBalancer } from './balancer.ts'
import { startDatabase } from './databases.ts'
import { fetchThrough } from './fetch.ts'
import { type Nodes, startNodes } from './nodes.ts'
import type { ChaosOptions } from './options.ts'
import { countOrders } from './orders.ts'
import { createRecorder, replay } from './replays.ts'
import { freePort } from './servers/free-port.ts'
import { createShopper, type Tally } from './shopper.ts'

/** What a run came to. What is lost, doubled, accepted, found and unclear must be 0. */
export interface Counts {
  readonly store: string
  readonly nodes: number
  readonly seconds: number
  readonly handshakes: number
  readonly orders: number
  readonly kills: number
  readonly orders_lost: number
  readonly orders_doubled: number
  readonly replays: number
  /** Of sessions that went on, so that the replay window alone refused them. */
  readonly replays_of_live_sessions: number
  readonly replays_accepted: number
  readonly audit_entries: number
  /** Of what agents were told of: in no chain, and in no outbox. */
  readonly audit_entries_lost: number
  /** What verifying the chains finds. */
  readonly audit_findings: number
  /** Ends of an agent's request that were no error of the library's own: none is clear. */
  readonly unclear_errors: number
  /** By name: what agents were told. */
  readonly refused: Readonly<Record<string, number>>
}

/** Orders of a session: half of the agents go on in one, the others shake hands again and again. */
const [LONG, SHORT] = [500, 8]

/** Shops under load, killed one after the other. @param log is told what went wrong */
export async function runChaos(options: ChaosOptions, log: (text: string) => void): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-chaos-'))
  const path = (name: string) => join(folder, name)
  const certificates = await makeLocalCertificates()
  for (const name of ['cert', 'key'] as const) writeFileSync(path(name), certificates[name], { mode: 0o600 })
  const database = await startDatabase(options.store)
  let nodes: Nodes | undefined
  let balancer: Server | undefined
  try {
    const port = await freePort()
    const origin = `https://localhost:${port}`
    const recorder = createRecorder()
    const fetching = fetchThrough(certificates.ca, recorder.record)
    const tally: Tally = {
      handshakes: 0,
      acknowledged: new Map(),
      told: new Map(),
      refused: new Map(),
      unclear: [],
    }
    const shoppers = await Promise.all(
      Array.from({ length: options.agents }, (_, i) =>
        createShopper(origin, fetching, tally, i % 2 === 0 ? LONG : SHORT),
      ),
    )
    const started = await startNodes(options.nodes, [
      ...[
        '--store',
        database.url,
        '--store-key',
        path('store.key'),
        '--identity',
        path('identity.pem'),
        '--origin',
        origin,
      ],
      ...['--cert', path('cert'), '--key', path('key'), '--ask', 'never', '--rate-limit', 'none'],
      ...shoppers.flatMap(({ userDid }) => ['--enrol', userDid]),
    ])
    nodes = started
    balancer = await startBalancer(port, certificates, started.serving)

    const end = AbortSignal.timeout(options.seconds * 1000)
    const { store, close } = await openStore(database.url, [path('store.key')])
    try {
      const outcomes: Awaited<ReturnType<typeof replay>>[] = []
      const replayAll = async (all: readonly Uint8Array[]) => {
        for (const bytes of [...all]) outcomes.push(await replay(bytes, fetching, origin, store))
      }
      const killing = killUntil(end, options.killEverySeconds, async () => {
        await started.killOne()
        await replayAll(recorder.latest)
      })
      await Promise.all(shoppers.map((shopper) => shopper.shop(started.serverDid, end)))
      await killing
      await replayAll(recorder.sample)
      const users = shoppers.map(({ userDid }) => userDid)
      const { orders, lost, doubled } = await countOrders(store, users, tally)
      const audit = await countAudit(store, tally.told)
      for (const text of [...tally.unclear.slice(0, 5), ...audit.findings.slice(0, 5)]) log(text)
      return {
        store: options.store,
        nodes: options.nodes,
        seconds: options.seconds,
        handshakes: tally.handshakes,
        orders,
        kills: started.kills,
        orders_lost: lost,
        orders_doubled: doubled,
        replays: outcomes.length,
        replays_of_live_sessions: outcomes.filter((outcome) => outcome !== 'outside').length,
        replays_accepted: outcomes.filter((outcome) => outcome === 'accepted').length,
        audit_entries: audit.entries,
        audit_entries_lost: audit.lost,
        audit_findings: audit.findings.length,
        unclear_errors: tally.unclear.length,
        refused: Object.fromEntries(tally.refused),
      }
    } finally {
      await close()
    }
  } finally {
    balancer?.closeAllConnections()
    balancer?.close()
    await nodes?.stop()
    await database.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function killUntil(end: AbortSignal, everySeconds: number, kill: () => Promise<void>): Promise<void> {
  const pause = () =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(done, everySeconds * 1000)
      end.addEventListener('abort', done, { once: true })
    })
  for (;;) {
    await pause()
    if (end.aborted) return
    await kill()
  }
}
