import { seeded } from './random.ts'

/** What happens to one message on its way. */
export const FAULTS = ['drop', 'delay', 'duplicate', 'reset', 'half-close'] as const
export type Fault = (typeof FAULTS)[number]

export interface Fate {
  readonly fault: Fault | undefined
  /** Milliseconds of a delay. */
  readonly delay: number
  /** How much of the message goes through before a reset or half-close, from 0 to 1. */
  readonly part: number
}

export interface Fates {
  readonly request: Fate
  readonly answer: Fate
}

/** The fate of each message by its number, the same however often it is asked for. */
export type Plan = (message: number) => Fates

const LONGEST_DELAY = 120
const UNHARMED: Fate = { fault: undefined, delay: 0, part: 0 }

/** Each message, either way, meets a fault with this probability. */
export function randomPlan(seed: number, probability: number): Plan {
  return (message) => {
    const random = seeded(seed * 1_000_003 + message)
    const draw = (): Fate => {
      const fault = random() < probability ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined
      return { fault, delay: Math.floor(random() * LONGEST_DELAY), part: random() }
    }
    return { request: draw(), answer: draw() }
  }
}

/** One fault, at one message, one way. */
export function singlePlan(at: number, way: 'request' | 'answer', fault: Fault, seed: number): Plan {
  const random = seeded(seed)
  const fate: Fate = { fault, delay: Math.floor(random() * LONGEST_DELAY), part: random() }
  return (message) => ({
    request: message === at && way === 'request' ? fate : UNHARMED,
    answer: message === at && way === 'answer' ? fate : UNHARMED,
  })
}
