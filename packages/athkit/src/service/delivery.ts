import type { ConfirmationRequest } from '../handshake/index.ts'
import type { ServiceContext } from './context.ts'
import { userTopic } from './hub.ts'

/** A channel that takes longer has not delivered. */
const DELIVERY_MS = 30_000

/** Brings a question to the user, behind the answer to m5: the inbox has it already, whatever the channel does. */
export function deliver(context: ServiceContext, question: ConfirmationRequest, handshakeId: string): void {
  context.hub.wake(userTopic(question.user_did))
  const { request_id: requestId, user_did: userDid, client_did: clientDid } = question
  const delivery = { signer: context.identity.signer, signal: AbortSignal.timeout(DELIVERY_MS) }
  Promise.resolve()
    .then(() => context.channel.send(question, delivery))
    .then(
      () => context.emit({ type: 'confirmation_sent', handshakeId, clientDid, requestId, userDid }),
      (cause: unknown) => context.emit({ type: 'failed', where: `channel ${context.channel.name}`, cause }),
    )
}
