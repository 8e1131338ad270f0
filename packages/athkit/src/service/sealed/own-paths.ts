import { MAX_BYTES, parseMessage } from '../../crypto/json.ts'
import type { ServiceContext } from '../context.ts'
import { admit } from './admit.ts'
import { type Answer, ownAnswer } from './answer.ts'
import { readWhole } from './body.ts'
import type { Exchange } from './business.ts'
import { endSession } from './end-session.ts'
import { renew } from './renewal.ts'
import { rotate } from './rotation.ts'

/**
 * The session's own paths (ATH-7.9, ATH-7.10): rotation, renewal, the end. They are marked and judged as any request, also under a
 * token that has expired, and are no business requests: neither counted against `rate_limit`, nor bound to an address or a time of
 * day, nor under an `Idempotency-Key`.
 *
 * @throws HandshakeError
 */
export async function serveOwnPath(context: ServiceContext, exchange: Exchange): Promise<Answer> {
  const { received, inner, address } = exchange
  const { own, fault, token } = inner
  await admit(context, { ...received, own, fault, token, claim: undefined, address })
  // What is wrong with the body was not yet known when the number was used up; nothing has been done.
  const body = await readWhole(received.exchange.body(), MAX_BYTES)
  switch (own) {
    case 'keys':
      return ownAnswer(200, await rotate(context, received, parseMessage(body)))
    case 'token':
      return ownAnswer(200, await renew(context, received.known, parseMessage(body)))
    default:
      await endSession(context, received.known)
      return ownAnswer(204)
  }
}
