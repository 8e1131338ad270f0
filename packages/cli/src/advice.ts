import { AthError, ERRORS, HandshakeError, type LocalTrouble } from 'athkit/errors'
import { NoQuestion, NoSession, NoVault, Unfinished } from './trouble.ts'

/** What a person does next about trouble of this machine. */
const TROUBLE: ReadonlyMap<LocalTrouble, string> = new Map([
  ['peer_violation', 'The other side does not keep to the protocol: tell its operator which rule it broke.'],
  ['did_unresolved', 'Check the DID, and that its registry can be reached.'],
  [
    'registry_violation',
    'The registry shows a history that does not hold: trust nothing from it, and tell its operator.',
  ],
  ['store_unavailable', 'Check that the database runs, and that this program may reach it.'],
  ['session_closed', 'The session has ended: ath connect URL --keep begins another.'],
  [
    'server_changed',
    'If the service has a new DID for a reason, give that as --server; if not, somebody may be in between.',
  ],
  [
    'credential_missing',
    'Ask the user (ath request-authorization, then ath credential add), or give --authorization FILE. One that names its service by DID alone is found with --server DID.',
  ],
  [
    'vault_locked',
    'Set ATH_PASSPHRASE (or ATH_VAULT_KEY) to what this vault was made with, or ATH_VAULT to another file.',
  ],
  [
    'vault_damaged',
    'Restore the file from a copy. Without one its key is lost: set ATH_VAULT to a new file and run ath init.',
  ],
  ['vault_busy', 'Wait until the other ath is done, or remove its lock if nothing runs.'],
])

/** What stands behind a connection that did not come about, by the platform's name for it. */
const CONNECTION: readonly (readonly [names: RegExp, advice: string])[] = [
  [/^ECONNREFUSED$/, 'Nothing listens there: check the address and the port, and that the service runs.'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'There is no such host: check its name.'],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|CERT_UNTRUSTED/,
    'Its certificate is of an authority that is not trusted here: give that with --ca FILE, if you trust it.',
  ],
  [/ALTNAME_INVALID/, 'Its certificate is for another host: dial the name that it was made for.'],
  [
    /CERT_(HAS_EXPIRED|NOT_YET_VALID)/,
    'Its certificate is out of date: tell the operator, or set your clock right.',
  ],
  [/SSL|TLS|EPROTO/, 'It speaks no TLS 1.3, which is all that ath speaks.'],
]

/** undefined where the error itself says all. */
export function adviceOn(error: unknown): string | undefined {
  if (error instanceof Unfinished) return adviceOn(error.cause)
  if (error instanceof NoVault) return 'Run ath init to make one, or set ATH_VAULT to the one you mean.'
  if (error instanceof NoSession) return 'ath connect URL --scopes A,B --keep leaves one in the vault.'
  if (error instanceof NoQuestion) return 'Start the agent while this waits, or wait longer with --wait.'
  if (error instanceof HandshakeError) return ERRORS.get(error.error)?.advice
  if (!(error instanceof AthError)) return undefined
  return error.trouble === 'transport_failed' ? onConnection(codeBehind(error)) : TROUBLE.get(error.trouble)
}

const onConnection = (code: string): string =>
  CONNECTION.find(([names]) => names.test(code))?.[1] ?? 'Check the address and the network, and try again.'

/** The platform's name for what went wrong, such as `ECONNREFUSED`; empty where it gave none. */
export function codeBehind(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  if (typeof code === 'string') return code
  const { cause } = (error ?? {}) as { cause?: unknown }
  return cause === undefined ? '' : codeBehind(cause)
}
