import { FAULTS, type Plan, randomPlan, singlePlan } from './faults.ts'
import { type Outcome, type Run, runOnce } from './run.ts'

/** Messages of a run in which nothing goes wrong, about. */
const MESSAGES = 16
const PROBABILITIES = [0.02, 0.1, 0.25, 0.5]

/** Of every eight runs three have one fault alone, each kind at each message in turn; the others are random, some gentle, some wild. */
export function runOf(seed: number): Run {
  const ways = { asks: seed % 2 === 1, restarts: seed % 3 === 2 }
  if (seed % 8 < 5) {
    const probability = PROBABILITIES[seed % PROBABILITIES.length] ?? 0.1
    return { plan: randomPlan(seed, probability), ...ways }
  }
  return { plan: single(Math.floor(seed / 8) * 3 + (seed % 8) - 5), ...ways }
}

function single(number: number): Plan {
  const fault = FAULTS[number % FAULTS.length] ?? 'drop'
  const rest = Math.floor(number / FAULTS.length)
  const way = rest % 2 === 0 ? 'request' : 'answer'
  return singlePlan(Math.floor(rest / 2) % MESSAGES, way, fault, number)
}

export interface Summary {
  readonly runs: number
  /** How many ended how. */
  readonly ended: ReadonlyMap<string, number>
  readonly faults: number
  readonly orders: number
  readonly violations: readonly string[]
}

export async function runMany(
  seeds: readonly number[],
  atOnce: number,
  onRun: (seed: number, outcome: Outcome) => void = () => undefined,
): Promise<Summary> {
  const ended = new Map<string, number>()
  const violations: string[] = []
  let faults = 0
  let orders = 0
  const left = [...seeds]
  const worker = async (): Promise<void> => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const outcome = await runOnce(runOf(seed))
      onRun(seed, outcome)
      ended.set(outcome.ended, (ended.get(outcome.ended) ?? 0) + 1)
      faults += outcome.faults.length
      orders += outcome.orders
      violations.push(...outcome.violations.map((violation) => `seed ${seed}: ${violation}`))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return { runs: seeds.length, ended, faults, orders, violations }
}
