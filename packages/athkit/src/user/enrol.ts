import { again, call, createTransport, type Fetch, originOf, type Sleep, sleep } from '../client/index.ts'
import { jsonBytes } from '../client/transport.ts'
import { isObject } from '../crypto/shape.ts'
import { AthError } from '../errors.ts'
import type { User } from './user.ts'

export interface EnrolAtOptions {
  /** Where the service takes enrolments, as the account's own page says. Its origin is the audience. */
  readonly url: string
  /** Out of that page, opened by the user themselves: whoever signs another's challenge links their DID to that one's account. */
  readonly challenge: string
  readonly fetch?: Fetch
  readonly sleep?: Sleep
  readonly signal?: AbortSignal
  /** A weakening, for development: `http:` on this machine (ATH-3.1). */
  readonly allowPlaintextOnLoopback?: boolean
}

/**
 * Links the user to the account whose page shows the challenge (ATH-4.7). A lost answer is asked for again with the same message.
 *
 * @returns the DID to pin: the server whose questions concern this account (ATH-6.3.1)
 * @throws HandshakeError `signature_invalid` for a challenge that was used, has lapsed, or is of another service
 * @throws AthError `transport_failed`, `peer_violation`
 */
export async function enrolAt(user: User, options: EnrolAtOptions): Promise<{ readonly serverDid: string }> {
  const { url, challenge, signal, allowPlaintextOnLoopback } = options
  const audience = originOf(new URL(url).origin, { allowPlaintextOnLoopback })
  const transport = createTransport({ fetch: options.fetch })
  const body = jsonBytes(await user.enrol({ audience, challenge }))
  const { body: receipt } = await again({ sleep: options.sleep ?? sleep, signal }, () =>
    call(transport, { url, method: 'POST', body, signal }),
  )
  const isReceipt =
    isObject(receipt) &&
    receipt.type === 'enrolment_receipt' &&
    receipt.user_did === user.did &&
    typeof receipt.server_did === 'string'
  if (!isReceipt)
    throw new AthError('peer_violation', 'the answer to an enrolment is none', { rule: 'ATH-4.7' })
  return { serverDid: receipt.server_did as string }
}
