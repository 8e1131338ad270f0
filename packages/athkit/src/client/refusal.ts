import { ERRORS, type HandshakeError, refuse } from '../errors.ts'
import type { ReceivedError } from '../messages/error-object.ts'

/** ATH-7.11: longer than this nobody waits because a server said so. */
export const LONGEST_WAIT = 300

/** What the peer refused with, as an error of the same name. It has no `rule`: whose fault it is, is the peer's word. */
export function refusedBy(error: ReceivedError, headers: Headers | undefined, step?: string): HandshakeError {
  const retryAfter = headers === undefined ? undefined : retryAfterOf(headers)
  const hint = hintIn(error)
  return refuse(error.error, 'the service refused it', {
    status: error.code,
    ...(hint === '' ? {} : { hint }),
    ...(step === undefined ? {} : { step }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(typeof error.next_seq === 'number' ? { nextSeq: error.next_seq } : {}),
  })
}

const LONGEST_HINT = 300

/** What the peer says beside the table's advice: what is left of a limit, and until when. A stranger's words: no message has them. */
function hintIn({ error, message }: ReceivedError): string {
  const advice = ERRORS.get(error)?.advice ?? ''
  const more = message.startsWith(advice) ? message.slice(advice.length) : message
  return more.replace(/\p{C}/gu, '\u{fffd}').trim().slice(0, LONGEST_HINT)
}

/** Seconds. An HTTP date is not used here: clocks differ. */
export function retryAfterOf(headers: Headers): number | undefined {
  const value = headers.get('retry-after')
  return value !== null && /^\d{1,9}$/.test(value) ? Number(value) : undefined
}
