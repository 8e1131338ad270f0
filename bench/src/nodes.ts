import { generateExportable } from 'athkit/crypto'
import { keptRequests } from './kept-requests.ts'
import { type Cost, loadSealed } from './load.ts'
import { party, userParty } from './parties.ts'
import { startServer } from './server-process.ts'
import { median, row } from './table.ts'

const SESSIONS = 40
/** Of each session, in one round. */
const REQUESTS = 20
const ROUNDS = 11
const WARM_UPS = 5

/**
 * What a sealed request costs when every other one of a session comes to another node, against one node that gets them all. The
 * second node shares the first one's store and key, and nothing else.
 *
 * @param store a database that both can open
 */
export async function compareNodes(name: string, store: string): Promise<void> {
  const { pkcs8Pem } = await generateExportable()
  const first = await startServer(userParty.did, 'plain', store, pkcs8Pem)
  const second = await startServer(userParty.did, 'plain', store, pkcs8Pem, first.origin)
  const makers: Awaited<ReturnType<typeof keptRequests>>[] = []
  for (let i = 0; i < SESSIONS; i++) makers.push(await keptRequests(first, await party()))
  const round = async (): Promise<Uint8Array[]> => {
    const made: Uint8Array[] = []
    for (const make of makers) made.push(...(await make(REQUESTS)))
    return made
  }
  const [cpus, rates] = [[] as number[], [] as number[]]
  for (let i = 0; i < WARM_UPS + ROUNDS; i++) {
    const alone = await loadSealed(first, await round())
    const requests = await round()
    const halves = [first, second].map((server, half) =>
      loadSealed(
        server,
        requests.filter((_, n) => n % 2 === half),
      ),
    )
    const both = (await Promise.all(halves)) as [Cost, Cost]
    if (i < WARM_UPS) continue
    cpus.push((both[0].cpu + both[1].cpu) / 2 / alone.cpu)
    rates.push((2 * Math.min(both[0].perSecond, both[1].perSecond)) / alone.perSecond)
  }
  row(
    `CPU per sealed request, two nodes / one, ${name}`,
    median(cpus).toFixed(2),
    `requests per second × ${median(rates).toFixed(2)}, all of it (load, nodes, database) on this one machine`,
  )
  first.stop()
  second.stop()
}
