import type { ServiceContext } from '../context.ts'
import type { Outcome, Traced } from './telemetry.ts'

/** The work as it is, where nobody measures; else in a span. */
export const traced = <T>(
  { telemetry }: Pick<ServiceContext, 'telemetry'>,
  what: Traced,
  work: () => Promise<T>,
  outcomeOf: (result: T) => Outcome,
): Promise<T> => (telemetry === undefined ? work() : telemetry.trace(what, work, outcomeOf))
