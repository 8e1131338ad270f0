/**
 * The wallet's inbox (ATH-6.3.5): the open questions of a user, and the receipt of an answer.
 */
import * as v from 'valibot'
import type { Json, JsonObject } from '../crypto/json.ts'
import { checkTimestamp, object, shaped, time } from '../crypto/shape.ts'
import { fitting, sizeOf } from './fitting.ts'

export const InboxListing = v.object({ pending: v.array(object) })
export type InboxListing = v.InferOutput<typeof InboxListing> & JsonObject

/**
 * As much as one body holds (ATH-1.1), the shortest first: an agent with many words keeps no other agent's question from the user.
 * What is left out comes when there is room.
 *
 * @param pending every m6 that is open for this user, as it was signed
 */
export function createInboxListing(pending: readonly JsonObject[]): InboxListing {
  const bySize = [...pending].sort((a, b) => sizeOf(a) - sizeOf(b))
  const fit = new Set(fitting(bySize))
  return { pending: pending.filter((question) => fit.has(question)) }
}

/**
 * @returns what claims to be m6; each is verified before anybody sees it
 * @throws HandshakeError `malformed_message`
 */
export const parseInboxListing = (body: Json): readonly JsonObject[] =>
  shaped(InboxListing, body, 'inbox').pending

export const ConfirmationReceipt = v.object({
  type: v.literal('authorization_confirmation_receipt'),
  request_id: v.string(),
  timestamp: time,
})
export type ConfirmationReceipt = v.InferOutput<typeof ConfirmationReceipt> & JsonObject

export const createConfirmationReceipt = (requestId: string, now: number): ConfirmationReceipt => ({
  type: 'authorization_confirmation_receipt',
  request_id: requestId,
  timestamp: now,
})

/** @throws HandshakeError `malformed_message` also when it names another question; `timestamp_skew` */
export function verifyConfirmationReceipt(
  message: Json,
  expected: { readonly requestId: string; readonly now: number },
): ConfirmationReceipt {
  const schema = v.object({ ...ConfirmationReceipt.entries, request_id: v.literal(expected.requestId) })
  const receipt: ConfirmationReceipt = shaped(schema, message, 'authorization_confirmation_receipt')
  checkTimestamp(receipt.timestamp, expected.now, 'authorization_confirmation_receipt')
  return receipt
}
