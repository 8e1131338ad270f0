import { AthError, HandshakeError, IdentityError, type LocalTrouble, PermissionError } from 'athkit/errors'
import { Interrupted, NoQuestion, NoSession, NoVault, Unfinished, Usage } from './trouble.ts'

/** Exit statuses, by what went wrong; `ath --help` says them. */
export const STATUS = {
  ok: 0,
  internal: 1,
  usage: 2,
  identity: 3,
  permission: 4,
  unanswered: 5,
  refused: 6,
  vault: 7,
  interrupted: 130,
  terminated: 143,
} as const

export const STATUS_HELP = `
Exit status:
  0  done
  1  a mistake of this program
  2  wrong usage: the command line, or a file that it names
  3  who somebody is was not established (401), or another server answers
  4  not allowed (403): by the user, the service, or a restriction
  5  no answer, or not now (408, 429, 5xx): try again later
  6  anything else: refused, or the other side breaks the protocol
  7  the vault: missing, locked, damaged, busy, or without what is needed
  130, 143  interrupted, terminated

ATH_VAULT names the vault file (default: ~/.athkit/vault); ATH_PASSPHRASE, or 32 bytes in base64url in ATH_VAULT_KEY, opens it.
No secret stands on a command line or in the output.`

const STATUS_OF_TROUBLE: ReadonlyMap<LocalTrouble, number> = new Map([
  ['transport_failed', STATUS.unanswered],
  ['store_unavailable', STATUS.unanswered],
  ['server_changed', STATUS.identity],
  ['did_unresolved', STATUS.identity],
  ['credential_missing', STATUS.vault],
  ['vault_locked', STATUS.vault],
  ['vault_damaged', STATUS.vault],
  ['vault_busy', STATUS.vault],
])

export function statusOf(error: unknown): number {
  if (error instanceof Unfinished) return statusOf(error.cause)
  if (error instanceof Interrupted) return error.signal === 'SIGINT' ? STATUS.interrupted : STATUS.terminated
  if (error instanceof NoQuestion) return STATUS.unanswered
  if (error instanceof NoVault || error instanceof NoSession) return STATUS.vault
  if (error instanceof IdentityError) return STATUS.identity
  if (error instanceof PermissionError) return STATUS.permission
  if (error instanceof HandshakeError) return error.retryable ? STATUS.unanswered : STATUS.refused
  if (error instanceof AthError) return STATUS_OF_TROUBLE.get(error.trouble) ?? STATUS.refused
  return error instanceof Usage || error instanceof TypeError ? STATUS.usage : STATUS.internal
}
