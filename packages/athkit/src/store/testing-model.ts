import { memory } from './memory.ts'
import type { Operation, Outcome, Store } from './store.ts'

const SEQUENCES = 12
const STEPS = 25
const KEYS = ['a', 'b', 'c']
const NOW = 1_717_200_000

/** An operation before its version is known: two stores give two versions to one state. */
type Template = (versionOf: (key: string) => number) => Operation

/**
 * Runs sequences of operations, chosen by a fixed generator, on the store and on the one in memory: both must answer alike, but for
 * the numbers of versions.
 *
 * @throws Error that says which operations were answered differently
 */
export async function answersAsMemory(store: Store): Promise<void> {
  const model = memory()
  for (let sequence = 0; sequence < SEQUENCES; sequence++) {
    const random = generator(sequence + 1)
    const partition = `model ${sequence}`
    const versions = [new Map<string, number>(), new Map<string, number>()] as const
    let now = NOW
    for (let step = 0; step < STEPS; step++) {
      now += random(4) === 0 ? random(40) : 0
      const templates = Array.from({ length: 1 + random(5) }, () => template(random, now))
      const answers: unknown[] = []
      for (const [at, each] of [store, model].entries()) {
        const seen = versions[at as 0 | 1]
        const operations = templates.map((make) => make((key) => seen.get(key) ?? 1))
        const outcome = await each.transact(partition, operations, now)
        learn(seen, operations, outcome)
        answers.push(withoutVersions(outcome))
      }
      const [answered, expected] = answers.map((answer) => JSON.stringify(answer))
      if (answered !== expected) {
        const asked = JSON.stringify(templates.map((make) => make(() => 1)))
        throw new Error(
          `step ${step} of ${sequence}: ${asked} was answered ${answered} instead of ${expected}`,
        )
      }
    }
  }
  await model.close()
}

/** The same numbers on every run: a linear congruence is random enough to choose operations. */
function generator(seed: number): (below: number) => number {
  let state = seed * 7919
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

function template(random: (below: number) => number, now: number): Template {
  const key = KEYS[random(KEYS.length)] as string
  const onRefusal = (['abort', 'stop', 'continue', undefined] as const)[random(4)]
  const refusing = onRefusal === undefined ? {} : { onRefusal }
  const expires = random(2) === 0 ? {} : { expiresAt: now + random(60) - 5 }
  const value = `value ${random(1000)} "\\é\u{1f600}`
  const condition = random(3)
  switch (random(9)) {
    case 0:
      return () => ({ op: 'get', key, ...refusing, ...ifPresent(condition) })
    case 1:
      return () => ({ op: 'list', prefix: condition === 0 ? '' : key, limit: 1 + condition })
    case 2:
    case 3:
      return (versionOf) => ({
        op: 'put',
        key,
        value,
        ...expires,
        ...refusing,
        ...(condition === 0 ? {} : { if: condition === 1 ? 'absent' : versionOf(key) }),
      })
    case 4:
      return (versionOf) => ({
        op: 'delete',
        key,
        ...refusing,
        ...(condition === 0 ? { if: versionOf(key) } : {}),
      })
    case 5:
      return () => ({ op: 'take', key, ...refusing })
    case 6: {
      const seq = [random(40), random(3000), random(2_000_000), -1][random(4)] as number
      return () => ({ op: 'mark', key, seq, ...expires, ...refusing })
    }
    case 7: {
      const limits = [60, 1, 3600].slice(0, 1 + condition).map((windowSeconds, i) => ({
        limit: 2 + i * random(4),
        windowSeconds,
      }))
      const nowMs = now * 1000 + random(1000)
      return () => ({ op: 'count', key, limits, nowMs, ...refusing })
    }
    default:
      return condition === 0 ? () => ({ op: 'drop', ids: [key] }) : () => ({ op: 'append', id: key, value })
  }
}

const ifPresent = (condition: number) =>
  condition === 0 ? {} : { if: condition === 1 ? ('present' as const) : ('absent' as const) }

function learn(
  seen: Map<string, number>,
  operations: readonly Operation[],
  { results }: Outcome<readonly unknown[]>,
): void {
  for (const [at, operation] of operations.entries()) {
    if (operation.op !== 'get' && operation.op !== 'put') continue
    const result = results[at] as { version?: number; row?: { version: number } } | undefined
    const version = result?.version ?? result?.row?.version
    if (version !== undefined) seen.set(operation.key, version)
  }
}

function withoutVersions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutVersions)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(
    entries.map(([name, each]) => [name, name === 'version' ? typeof each : withoutVersions(each)]),
  )
}
