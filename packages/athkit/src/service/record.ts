import type { OutcomeOf } from '../audit/index.ts'
import type { Operation } from '../store/store.ts'
import { factsOf } from './audit-facts.ts'
import type { ServiceContext } from './context.ts'
import type { ServiceEvent } from './events.ts'

/** What it takes to write something down. */
export type Recording = Pick<ServiceContext, 'audit' | 'now' | 'emit'>

/**
 * A transaction, with what it means written down in it for the audit (ATH-10): durable together, or neither. Once it is done, the
 * events are told to the operator.
 *
 * @param operations those that can stop or abort the transaction; the audit's come behind them
 * @throws AthError `store_unavailable`
 */
export async function record<const Ops extends readonly Operation[]>(
  context: Recording,
  partition: string,
  operations: Ops,
  events: readonly ServiceEvent[],
): Promise<OutcomeOf<Ops>> {
  const outcome = await write(context, partition, operations, events)
  if (outcome.outcome === 'done') for (const event of events) context.emit(event)
  return outcome
}

/** {@link record}, for events that go with no state of their own: a transaction only where there is something to write down. */
export async function recordAlone(
  context: Recording,
  partition: string,
  events: readonly ServiceEvent[],
): Promise<void> {
  const isWritten = events.some((event) => factsOf(event, context.now()).length > 0)
  if (isWritten) await write(context, partition, [], events)
  for (const event of events) context.emit(event)
}

/** {@link record}, for events that are told by somebody else, or told already. */
export function write<const Ops extends readonly Operation[]>(
  { audit, now }: Pick<Recording, 'audit' | 'now'>,
  partition: string,
  operations: Ops,
  events: readonly ServiceEvent[],
): Promise<OutcomeOf<Ops>> {
  const at = now()
  return audit.write(
    partition,
    operations,
    events.flatMap((event) => factsOf(event, at)),
  )
}
