import type { AuditEntry, AuditFact, AuditHead } from '../../src/audit/index.ts'
import { createAudit, exportAudit, verifyAudit } from '../../src/audit/index.ts'
import type { AuditDeps, AuditOptions } from '../../src/audit/options.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner, type Signer } from '../../src/crypto/keys.ts'
import { AthError } from '../../src/errors.ts'
import type { Operation, Store } from '../../src/store/store.ts'

export const NOW = 1_717_200_000

export const fact = (n: number, more: Partial<AuditFact> = {}): AuditFact => ({
  event: 'identity proven',
  timestamp: NOW,
  detail: { n },
  ...more,
})

export interface Clock {
  now: number
}

/** A process that writes facts down, each in a partition. */
export function processOn(store: Store, options: AuditOptions & { signer?: Signer; clock?: Clock } = {}) {
  const { signer, clock = { now: NOW }, ...rest } = options
  const troubles: unknown[] = []
  const deps = { store, signer, now: () => clock.now, failed: (cause: unknown) => void troubles.push(cause) }
  const audit = createAudit(deps, rest)
  /** As a service does it: facts in the transaction of the state. */
  async function write(partition: string, facts: readonly AuditFact[], before: readonly Operation[] = []) {
    const begun = audit.begin(facts)
    try {
      const { outcome } = await store.transact(partition, [...before, ...begun.operations], clock.now)
      if (outcome === 'done') begun.settle(partition)
      else begun.discard()
      return outcome
    } catch (error) {
      begun.unknown()
      throw error
    }
  }
  return { audit, write, troubles, clock }
}

export async function lines(store: Store): Promise<(AuditEntry | AuditHead)[]> {
  const all: (AuditEntry | AuditHead)[] = []
  for await (const line of exportAudit(store, NOW)) all.push(line)
  return all
}

export const isEntry = (line: AuditEntry | AuditHead): line is AuditEntry => 'event' in line

/** Which facts have a place, in the order of the chains; throws where a chain does not hold. */
export async function chained(store: Store): Promise<number[]> {
  const all = await lines(store)
  const { findings } = await verifyAudit(all as unknown as JsonObject[], undefined)
  if (findings.length > 0) throw new Error(JSON.stringify(findings))
  return all.filter(isEntry).map(({ detail }) => detail.n as number)
}

export async function waiting(store: Store): Promise<number> {
  let count = 0
  for await (const _ of store.outbox()) count++
  return count
}

/** A store that dies at its n-th transaction, before it or right after it; from then on nothing can be reached through it. */
export function dying(store: Store, at: number, after: boolean): Store & { readonly calls: () => number } {
  let calls = 0
  const dead = () => new AthError('store_unavailable', 'dead')
  return {
    ...store,
    calls: () => calls,
    async transact(partition, operations, now) {
      calls += 1
      if (calls > at || (calls === at && !after)) throw dead()
      const outcome = await store.transact(partition, operations, now)
      if (calls >= at && after) throw dead()
      return outcome
    },
    outbox: () => (calls >= at ? dies(dead()) : store.outbox()),
  }
}

/** Another process, to which it is so many seconds later. */
export const another = (store: Store, seconds: number): AuditDeps => ({
  store,
  signer: undefined,
  now: () => NOW + seconds,
  failed: () => undefined,
})

/** A store far away: before and after each of its transactions something else may happen, the same for the same seed. */
export function delayed(store: Store, seed: number): Store {
  let state = seed
  const random = (most: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return (state >> 8) % most
  }
  const pause = async () => {
    for (let turns = random(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    ...store,
    async transact(partition, operations, now) {
      await pause()
      const outcome = await store.transact(partition, operations, now)
      await pause()
      return outcome
    },
    async *outbox() {
      await pause()
      for await (const entry of store.outbox()) yield entry
      await pause()
    },
  }
}

// biome-ignore lint/correctness/useYield: it dies first
async function* dies(error: Error): AsyncGenerator<never> {
  throw error
}

export const signer: Promise<Signer> = generateSigner()
