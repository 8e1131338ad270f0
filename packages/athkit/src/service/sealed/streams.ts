import type { ServiceContext } from '../context.ts'
import { grantKey } from '../revocation/end-grant.ts'
import { finishNowAndThen, recheckParties } from '../revocation/index.ts'
import type { GrantRow } from '../rows.ts'

/** An answer that is still being sent. */
export interface OpenStream {
  readonly grantId: string
  readonly clientDid: string
  /** Of the pair. */
  readonly partition: string
  /** Unix seconds: the end of the grant, or of its keys' 86400 s, whichever comes first. */
  readonly endsAt: number
  /** Ends it without a last record, so that the client knows it was cut (ATH-7.8). */
  readonly cut: () => void
}

/** The streams that are open in this process. */
export interface OpenStreams {
  /** @returns what to call when it has ended by itself */
  add(stream: OpenStream): () => void
  /** At once: the grant has ended. */
  cut(grantId: string): void
  /** The process stops. */
  cutAll(): void
  /** Looks at the clock and, for what other nodes did, at the store. It runs by itself while streams are open. */
  check(): Promise<void>
  readonly size: number
}

/** A grant that another node ended is seen within this and one look at the store: well within a second. */
const CHECK_MS = 400

/** A stream goes on for so long while nobody can say whether its grant still stands; ATH-7.8 leaves 5 s in all. */
const UNKNOWN_MS = 4000

export function createOpenStreams(context: ServiceContext): OpenStreams {
  const byGrant = new Map<string, Set<OpenStream>>()
  let timer: ReturnType<typeof setInterval> | undefined
  let checking = false
  let storeSeenAt = 0

  function remove(stream: OpenStream): void {
    const siblings = byGrant.get(stream.grantId)
    siblings?.delete(stream)
    if (siblings?.size === 0) byGrant.delete(stream.grantId)
    if (byGrant.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  function end(stream: OpenStream): void {
    remove(stream)
    stream.cut()
  }

  function cut(grantId: string): void {
    for (const stream of [...(byGrant.get(grantId) ?? [])]) end(stream)
  }

  /** One round trip for each pair that has a stream open here, however many it has. */
  async function look(): Promise<void> {
    const pairs = new Map<string, string[]>()
    for (const [grantId, [stream]] of byGrant) {
      if (stream !== undefined) pairs.set(stream.partition, [...(pairs.get(stream.partition) ?? []), grantId])
    }
    await Promise.all([...pairs].map(([partition, grantIds]) => lookAt(partition, grantIds)))
    storeSeenAt = context.nowMs()
  }

  async function lookAt(partition: string, grantIds: readonly string[]): Promise<void> {
    const operations = grantIds.map((grantId) => ({ op: 'get', key: grantKey(grantId) }) as const)
    const { results } = await context.store.transact(partition, operations, context.now())
    grantIds.forEach((grantId, index) => {
      const row = results[index]
      const grant = row === undefined ? undefined : (JSON.parse(row.value) as GrantRow)
      if (grant === undefined || grant.state === 'ended' || grant.state === 'revoked') cut(grantId)
      else void recheckParties(context, grant)
    })
  }

  function cutWhere(holds: (stream: OpenStream) => boolean): void {
    for (const streams of [...byGrant.values()]) {
      for (const stream of [...streams]) if (holds(stream)) end(stream)
    }
  }

  async function check(): Promise<void> {
    const now = context.now()
    cutWhere(({ endsAt, clientDid }) => endsAt <= now || context.policies.denies(clientDid))
    // A store that fails, or only stalls, must not keep a revoked stream open.
    if (context.nowMs() - storeSeenAt > UNKNOWN_MS) cutWhere(() => true)
    if (checking || byGrant.size === 0) return
    finishNowAndThen(context)
    checking = true
    try {
      await look()
    } catch (cause) {
      context.emit({ type: 'failed', where: 'open streams', cause })
    } finally {
      checking = false
    }
  }

  return {
    add(stream) {
      const siblings = byGrant.get(stream.grantId)
      if (siblings === undefined) byGrant.set(stream.grantId, new Set([stream]))
      else siblings.add(stream)
      if (timer === undefined) {
        storeSeenAt = context.nowMs()
        timer = setInterval(() => void check(), CHECK_MS)
        if (typeof timer === 'object') timer.unref()
      }
      return () => remove(stream)
    },
    cut,
    cutAll: () => cutWhere(() => true),
    check,
    get size() {
      let total = 0
      for (const streams of byGrant.values()) total += streams.size
      return total
    },
  }
}
