import type { Awaitable } from '../crypto/bytes.ts'
import type { Signer } from '../crypto/keys.ts'
import type { Store } from '../store/store.ts'
import { type AuditHead, PROCESS_NAME } from './entry.ts'

export interface AuditOptions {
  /** Names the chain of this process; random without it. A process that is started again may go on under its name. */
  readonly process?: string
  /** How often the end of the chain is signed, where it has moved; 60. */
  readonly headEverySeconds?: number
  /** Is given each signed head, to be kept where whoever can write to the store cannot: so a tail that was cut off shows. */
  readonly onHead?: (head: AuditHead) => Awaitable<void>
}

/** What the audit needs of whoever has it. */
export interface AuditDeps {
  readonly store: Store
  /** Signs heads (label `audit_head`); without it there are none. */
  readonly signer: Signer | undefined
  /** Unix seconds. */
  now(): number
  /** Trouble in the background; it is tried again. */
  failed(cause: unknown): void
}

/** @returns what is wrong with them, in words */
export function auditMistakes({
  process,
  headEverySeconds,
  onHead,
  ...rest
}: AuditOptions): readonly string[] {
  const mistakes = Object.keys(rest).map((name) => `audit: there is no ${JSON.stringify(name)}`)
  if (process !== undefined && !(typeof process === 'string' && PROCESS_NAME.test(process)))
    mistakes.push('audit.process is 1 to 64 of A–Z, a–z, 0–9, _ and -')
  if (headEverySeconds !== undefined && !(Number.isSafeInteger(headEverySeconds) && headEverySeconds >= 1))
    mistakes.push('audit.headEverySeconds is a whole number, at least 1')
  if (onHead !== undefined && typeof onHead !== 'function')
    mistakes.push('audit.onHead is a function of a signed head')
  return mistakes
}
