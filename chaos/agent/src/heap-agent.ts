/** The agent whose heap is measured, alone in its process, which runs with `--expose-gc`. */
import { createAgent } from 'athkit/agent'
import { party } from './party.ts'
import { SCOPES } from './shop.ts'

export interface Task {
  readonly origin: string
  readonly authorization: string
  /** After so many requests each, the heap is measured. */
  readonly measureAt: readonly number[]
}

const AT_ONCE = 32
/** Requests between two changes of the keys. */
const ROTATE_EVERY = 4000

const identity = await party()
const agent = createAgent({ identity, allowPlaintextOnLoopback: true })
process.once('message', (task: Task) => void work(task))
process.send?.({ did: agent.did })

async function work({ origin, authorization, measureAt }: Task): Promise<void> {
  const session = await agent.connect(origin, { authorization, scopes: SCOPES })
  const heaps: number[] = []
  let sent = 0
  for (const until of measureAt) {
    const worker = async (): Promise<void> => {
      while (sent < until) {
        const number = sent++
        if (number % ROTATE_EVERY === 0) await session.rotate()
        const response = await session.fetch(`/api/goods?keyword=${number}`)
        const { keyword } = (await response.json()) as { keyword?: string }
        if (keyword !== String(number)) throw new Error('an answer of another request')
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    heaps.push(await heapNow())
  }
  await session.close()
  process.send?.({ heaps })
  process.disconnect()
}

/** What is reachable: finalizers and closed sockets have to have their turn before it is counted. */
async function heapNow(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
}
