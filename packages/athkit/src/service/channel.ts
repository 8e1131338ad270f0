import type { Awaitable } from '../crypto/bytes.ts'
import type { Signer } from '../crypto/keys.ts'
import type { ConfirmationRequest } from '../handshake/index.ts'

/**
 * How a question reaches the user (ATH-6.3.1): a channel of the service's own, never through the agent. Every question is in the
 * inbox as well, so a channel only has to bring it to somebody's attention, and may be called again for the same question.
 */
export interface ConfirmationChannel {
  readonly name: string
  /** A rejection is told to `onEvent`; the question stays open in the inbox. */
  send(question: ConfirmationRequest, delivery: Delivery): Awaitable<void>
}

export interface Delivery {
  /** The service's, for a channel that signs what it sends. */
  readonly signer: Signer
  readonly signal: AbortSignal
}

/** The built-in channel: the user's wallet reads its inbox (ATH-6.3.5), which needs no sending. */
export const walletInbox = (): ConfirmationChannel => ({ name: 'wallet-inbox', send: () => undefined })
