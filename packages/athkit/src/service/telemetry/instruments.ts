import type { ServiceEvent } from '../events.ts'
import type { Meter } from './api.ts'
import { attributesOf, type Outcome, type Traced } from './telemetry.ts'

/** The metrics, by their names (docs/operations.md). */
export interface Instruments {
  count(event: ServiceEvent): void
  took(what: Traced, seconds: number, outcome: Outcome): void
  stored(seconds: number, outcome: string): void
  gaugeStreams(size: () => number): void
}

export function createInstruments(meter: Meter): Instruments {
  const handshakes = meter.createCounter('ath.handshakes', {
    description: 'Handshakes by what became of them',
  })
  const refusals = meter.createCounter('ath.refusals', { description: 'Refusals by their names' })
  const failures = meter.createCounter('ath.failures', {
    description: 'Exceptions: bugs, a store out of reach',
  })
  const questions = meter.createUpDownCounter('ath.questions.pending', {
    description: 'Questions that users were asked and have not answered',
  })
  const messages = meter.createHistogram('ath.message.duration', {
    description: 'Messages of handshakes',
    unit: 's',
  })
  const sealed = meter.createHistogram('ath.sealed.duration', { description: 'Sealed requests', unit: 's' })
  const store = meter.createHistogram('ath.store.duration', { description: 'Transactions', unit: 's' })
  const streams = meter.createObservableGauge('ath.streams.open', {
    description: 'Sealed answers that are still being sent',
  })

  return {
    count(event) {
      const outcome = OUTCOMES.get(event.type)?.(event)
      if (outcome !== undefined) handshakes.add(1, { 'ath.outcome': outcome })
      if (event.type === 'refused') refusals.add(1, { 'ath.error': event.error })
      if (event.type === 'failed') failures.add(1)
      if (event.type === 'confirmation_sent') questions.add(1)
      if (event.type === 'confirmation_answered' || event.type === 'confirmation_lapsed') questions.add(-1)
    },
    took(what, seconds, outcome) {
      const attributes = attributesOf(outcome)
      if (what === 'sealed') sealed.record(seconds, attributes)
      else messages.record(seconds, { 'ath.message': what, ...attributes })
    },
    stored: (seconds, outcome) => store.record(seconds, { 'ath.outcome': outcome }),
    gaugeStreams: (size) => streams.addCallback((result) => result.observe(size())),
  }
}

type OutcomeOf = (event: ServiceEvent) => string | undefined

const OUTCOMES: ReadonlyMap<ServiceEvent['type'], OutcomeOf> = new Map<ServiceEvent['type'], OutcomeOf>([
  ['handshake_started', () => 'started'],
  ['identity_refused', () => 'refused'],
  ['refused', (event) => ('ended' in event && event.ended === true ? 'refused' : undefined)],
  ['scopes_decided', (event) => ('granted' in event && event.granted.length === 0 ? 'denied' : undefined)],
  ['token_issued', () => 'granted'],
])
