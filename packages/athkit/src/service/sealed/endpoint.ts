import type { HandshakeError } from '../../errors.ts'
import type { Caller, ServiceContext } from '../context.ts'
import type { ServiceEvent } from '../events.ts'
import { recordAlone } from '../record.ts'
import { finishNowAndThen, recheckParties } from '../revocation/index.ts'
import { traced } from '../telemetry/traced.ts'
import { type Answer, refusalAnswer, refusalFor } from './answer.ts'
import { serveBusiness } from './business.ts'
import { readInner } from './inner.ts'
import { serveOwnPath } from './own-paths.ts'
import { type Received, receive, type SealedBody, type SealedMessage } from './receive.ts'
import { sealAnswer } from './seal-answer.ts'

/**
 * A sealed request (ATH-7), in the order of ATH-7.6: open record 0; mark, and judge what the store says, in one operation; then act.
 * From record 0 on every decision travels sealed (ATH-7.11).
 *
 * @throws HandshakeError for what is said outside the seal: `malformed_message`, `session_unknown`, `session_expired`
 */
export async function handleSealed(
  context: ServiceContext,
  message: SealedMessage,
  caller: Caller,
): Promise<SealedBody> {
  finishNowAndThen(context)
  const { received, answer } = await traced(
    context,
    'sealed',
    async () => {
      const received = await receive(context, message)
      return { received, answer: await answerTo(context, received, message.signal, caller) }
    },
    outcomeOf,
  )
  try {
    return await sealAnswer(context, received, answer)
  } catch (error) {
    const refusal = refusalFor(context, error, 'sealing an answer')
    return sealAnswer(context, received, refusalAnswer(refusal, context.now()))
  }
}

const outcomeOf = ({ answer }: { readonly answer: Answer }) => ({
  status: answer.status,
  error: answer.refusal?.error,
})

async function answerTo(
  context: ServiceContext,
  received: Received,
  signal: () => AbortSignal,
  { address }: Caller,
): Promise<Answer> {
  try {
    const inner = await readInner(context, received)
    // Renewal looks for itself, and rotation gives nobody anything.
    const waits = inner.own === undefined ? recheckParties(context, received.known.grant) : undefined
    if (waits !== undefined) await waits
    const exchange = { received, inner, address, signal }
    const answer = await (inner.own === undefined ? serveBusiness : serveOwnPath)(context, exchange)
    if (answer.refusal !== undefined) await report(context, received, answer.refusal, address)
    return answer
  } catch (error) {
    const refusal = refusalFor(context, error, 'a sealed request')
    // What has ended has no keys any more: that is said outside.
    if (refusal.error === 'session_unknown') throw refusal
    const said = await reported(context, received, refusal, address)
    return { ...refusalAnswer(said, context.now()), refusal: said }
  }
}

/** A store that cannot keep the entry of a refusal says so instead: nothing is acknowledged before it is written down (ATH-10). */
async function reported(
  context: ServiceContext,
  received: Received,
  refusal: HandshakeError,
  address: string,
): Promise<HandshakeError> {
  try {
    await report(context, received, refusal, address)
    return refusal
  } catch (error) {
    return refusalFor(context, error, 'writing a refusal down')
  }
}

async function report(
  context: ServiceContext,
  { known }: Received,
  refusal: HandshakeError,
  address: string,
): Promise<void> {
  const { error, reason, rule, code } = refusal
  const { id: grantId, clientDid, userDid } = known.grant
  if (code >= 500) return
  const of = { grantId, clientDid, userDid }
  const events: ServiceEvent[] = [{ type: 'refused', error, reason, rule, step: 'sealed', ...of, address }]
  if (error === 'restriction_violated' || error === 'rate_limited') {
    events.unshift({ type: 'restriction_violated', restriction: reason, ...of })
  }
  await recordAlone(context, known.partition, events)
}
