import { AthError, HandshakeError, refuse } from '../errors.ts'

/** Keeps fetches on a stranger's word within bounds (ATH-4.4), by the host they go to and by whoever asks. */
export interface HostLimits {
  /**
   * Runs the work when there is room: at most 4 at once for the host, and for the requester.
   *
   * @throws AthError `transport_failed` when the host failed less than 10 s ago, or too many wait for it
   * @throws HandshakeError `rate_limited` when too many wait for the requester
   */
  run<T>(host: string, requester: string | undefined, work: () => Promise<T>): Promise<T>
}

const AT_ONCE = 4
/** How many may wait for each: nobody waits longer than a few fetches take. */
const MOST_WAITING = 8
const FAILED_SECONDS = 10
const MOST_FAILED = 10_000

/** @param now Unix seconds */
export function createHostLimits(now: () => number): HostLimits {
  const failed = new Map<string, number>()
  const hosts = createSlots(
    () => new AthError('transport_failed', 'too many wait for the host', { rule: 'ATH-4.4' }),
  )
  const requesters = createSlots(() =>
    refuse('rate_limited', 'too many fetches at once', { rule: 'ATH-4.4', retryAfter: 1 }),
  )

  async function once<T>(host: string, work: () => Promise<T>): Promise<T> {
    const until = failed.get(host)
    if (until !== undefined && now() < until) {
      throw new AthError('transport_failed', 'the host failed a moment ago', { rule: 'ATH-4.4' })
    }
    try {
      const result = await work()
      failed.delete(host)
      return result
    } catch (error) {
      if (isOfHost(error)) {
        failed.delete(host)
        if (failed.size >= MOST_FAILED) failed.delete(failed.keys().next().value as string)
        failed.set(host, now() + FAILED_SECONDS)
      }
      throw error
    }
  }

  return {
    run(host, requester, work) {
      const forHost = () => hosts.run(host, () => once(host, work))
      return requester === undefined ? forHost() : requesters.run(requester, forHost)
    },
  }
}

/** Whether it was the host that failed, and not what it had to say about one DID. */
function isOfHost(error: unknown): boolean {
  if (error instanceof HandshakeError) return false
  return !(error instanceof AthError) || error.trouble === 'transport_failed'
}

interface Queue {
  running: number
  readonly waiting: (() => void)[]
}

/** At most {@link AT_ONCE} at a time under each key; the rest wait in line, if the line is not full. */
function createSlots(full: () => Error) {
  const queues = new Map<string, Queue>()

  async function enter(queue: Queue): Promise<void> {
    if (queue.running < AT_ONCE) {
      queue.running++
      return
    }
    if (queue.waiting.length >= MOST_WAITING) throw full()
    // Whoever leaves hands its place on: `running` does not change.
    await new Promise<void>((resolve) => queue.waiting.push(resolve))
  }

  function leave(key: string, queue: Queue): void {
    const next = queue.waiting.shift()
    if (next !== undefined) next()
    else if (--queue.running === 0) queues.delete(key)
  }

  return {
    async run<T>(key: string, work: () => Promise<T>): Promise<T> {
      const queue = queues.get(key) ?? { running: 0, waiting: [] }
      queues.set(key, queue)
      await enter(queue)
      try {
        return await work()
      } finally {
        leave(key, queue)
      }
    },
  }
}
