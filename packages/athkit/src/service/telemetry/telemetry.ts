import { HandshakeError } from '../../errors.ts'
import type { Operation, Store } from '../../store/store.ts'
import type { ServiceEvent } from '../events.ts'
import type { Attributes, TelemetryOptions, Tracer } from './api.ts'
import { createInstruments, type Instruments } from './instruments.ts'

/** What is traced: a message of a handshake, or a sealed request. */
export type Traced = 'm1' | 'm3' | 'm5' | 'm7' | 'm9a' | 'sealed' | 'other'

/** How it came out: the status, and the name of the refusal where it is one. */
export interface Outcome {
  readonly status: number
  readonly error?: string | undefined
}

export interface Telemetry {
  /** Runs a piece of work in a span of its own. No attribute names anybody, and each has few values. */
  trace<T>(what: Traced, work: () => Promise<T>, outcomeOf: (result: T) => Outcome): Promise<T>
  /** Counts what was decided. */
  count(event: ServiceEvent): void
  /** The same store, timed. */
  timed(store: Store): Store
  /** Answers that this process is still sending. */
  gaugeStreams(size: () => number): void
}

/** undefined where nobody asked for it: nothing is measured then. */
export function createTelemetry({ tracer, meter }: TelemetryOptions = {}): Telemetry | undefined {
  if (tracer === undefined && meter === undefined) return undefined
  const instruments = meter && createInstruments(meter)
  return {
    async trace(what, work, outcomeOf) {
      const began = performance.now()
      const run = tracer === undefined ? work : () => inSpan(tracer, what, work, outcomeOf)
      let outcome: Outcome = { status: 500, error: 'internal' }
      try {
        const result = await run()
        outcome = outcomeOf(result)
        return result
      } catch (error) {
        outcome = outcomeOfError(error)
        throw error
      } finally {
        instruments?.took(what, (performance.now() - began) / 1000, outcome)
      }
    },
    count: (event) => instruments?.count(event),
    timed: (store) => (instruments === undefined ? store : timed(store, instruments)),
    gaugeStreams: (size) => instruments?.gaugeStreams(size),
  }
}

const SERVER = 1
const ERROR = 2

function inSpan<T>(
  tracer: Tracer,
  what: Traced,
  work: () => Promise<T>,
  outcomeOf: (result: T) => Outcome,
): Promise<T> {
  return tracer.startActiveSpan(`ath ${what}`, { kind: SERVER }, async (span) => {
    const end = (outcome: Outcome) => {
      span.setAttributes(attributesOf(outcome))
      if (outcome.status >= 500) span.setStatus({ code: ERROR })
      span.end()
    }
    try {
      const result = await work()
      end(outcomeOf(result))
      return result
    } catch (error) {
      end(outcomeOfError(error))
      throw error
    }
  })
}

export const attributesOf = ({ status, error }: Outcome): Attributes => ({
  'ath.status': status,
  ...(error === undefined ? {} : { 'ath.error': error }),
})

const outcomeOfError = (error: unknown): Outcome =>
  error instanceof HandshakeError
    ? { status: error.code, error: error.error }
    : { status: 500, error: 'internal' }

function timed(store: Store, instruments: Instruments): Store {
  return {
    outbox: () => store.outbox(),
    rows: () => store.rows(),
    sweep: (now, limit) => store.sweep(now, limit),
    close: () => store.close(),
    async transact<const Ops extends readonly Operation[]>(partition: string, operations: Ops, now: number) {
      const began = performance.now()
      let outcome = 'failed'
      try {
        const done = await store.transact(partition, operations, now)
        outcome = done.outcome
        return done
      } finally {
        instruments.stored((performance.now() - began) / 1000, outcome)
      }
    },
  }
}
