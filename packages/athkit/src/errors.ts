/**
 * Every refusal that crosses the wire, in one table (ATH-9): its name, its HTTP status, and what the reader should do.
 * The names are a literal union; documentation and tests are generated from this table.
 */
const TABLE = [
  [400, 'malformed_message', 'Send the message in the form the profile gives; it will not be retried.'],
  [400, 'no_common_version', 'Offer a protocol version that the server speaks.'],
  [400, 'no_common_capability', 'Offer TLS1.3 and the signature algorithms of both keys.'],
  [400, 'scopes_invalid', 'Ask only for scopes of the form resource:action that were offered.'],
  [401, 'identity_unknown', 'Check that the DID is registered and can be resolved.'],
  [401, 'identity_revoked', 'The DID was deactivated; use another identity.'],
  [401, 'key_mismatch', 'Check that the key presented stands in the DID document.'],
  [401, 'signature_invalid', 'Check which key signed, and what was signed.'],
  [401, 'nonce_mismatch', 'Check the address that was dialled: the nonce commits to another one.'],
  [401, 'handshake_replayed', 'Begin a new handshake with a new nonce.'],
  [401, 'timestamp_skew', 'Set the clock right: it is more than 300 seconds off.'],
  [401, 'credential_invalid', 'Obtain a new credential from the user for this agent and this service.'],
  [401, 'credential_expired', 'The credential has ended; obtain a new one from the user.'],
  [401, 'credential_revoked', 'The user took the credential back; ask them for a new one.'],
  [401, 'token_invalid', 'Renew the access token, or begin a new handshake.'],
  [401, 'session_unknown', 'Begin a new handshake: the session is not known here.'],
  [401, 'session_expired', 'Begin a new handshake: the session has ended.'],
  [401, 'grant_revoked', 'The grant was revoked; ask the user to authorize again.'],
  [403, 'scope_denied', 'Ask the user to authorize again with other scopes.'],
  [403, 'policy_denied', 'Ask the operator of the service to approve this agent.'],
  [403, 'restriction_violated', 'Stay within the restrictions of the grant, or ask the user for others.'],
  [404, 'handshake_unknown', 'Begin a new handshake.'],
  [404, 'confirmation_unknown', 'The question is not known here; wait for the next one.'],
  [408, 'handshake_timeout', 'Begin a new handshake; at most three retries, with backoff.'],
  [408, 'confirmation_timeout', 'The user did not answer in time; begin a new handshake.'],
  [409, 'out_of_order', 'The step was already taken, or is not due yet.'],
  [409, 'replayed', 'This sequence number was already used; go on at next_seq.'],
  [409, 'already_decided', 'The question was already answered in another way.'],
  [409, 'rotation_pending', 'Finish the rotation that is under way, or wait 30 seconds.'],
  [409, 'idempotency_conflict', 'This Idempotency-Key belongs to another request; use a new key.'],
  [409, 'in_progress', 'The first copy of this request still runs; ask again shortly.'],
  [409, 'outcome_unknown', 'A crash hid what became of this request; look before doing it again.'],
  [413, 'message_too_large', 'Send less.'],
  [429, 'rate_limited', 'Wait for as long as Retry-After says.'],
  [500, 'internal', 'Try the same message again; the operator finds the cause in the log.'],
  [503, 'resolver_unavailable', 'Try again: a DID cannot be resolved at present.'],
  [503, 'store_unavailable', 'Try again: the service cannot reach its store at present.'],
] as const

/** Stable name of an error, `error` of the wire object (ATH-9). */
export type ErrorName = (typeof TABLE)[number][1]

export interface ErrorEntry {
  readonly code: number
  readonly error: ErrorName
  /** What the person who reads the error should do. */
  readonly advice: string
  readonly retryable: boolean
}

const RETRYABLE: ReadonlySet<number> = new Set([408, 429, 500, 503])

/** The table by name, in the order of the profile. */
export const ERRORS: ReadonlyMap<ErrorName, ErrorEntry> = new Map(
  TABLE.map(([code, error, advice]) => [error, { code, error, advice, retryable: RETRYABLE.has(code) }]),
)

/** The error object as it crosses the wire. */
export interface ErrorObject {
  readonly type: 'error'
  readonly code: number
  readonly error: ErrorName
  readonly message: string
  readonly retryable: boolean
  readonly timestamp: number
  /** Only with a sealed 409 `replayed`: where the client goes on (ATH-7.6). */
  readonly next_seq?: number
}

export interface RefusalOptions {
  /** The rule that was broken, e.g. `ATH-6.1.3`. */
  readonly rule?: string
  /** The message that was refused, e.g. `m3`. */
  readonly step?: string
  /** Seconds, for `Retry-After`. */
  readonly retryAfter?: number
  /** HTTP status where it differs from the table's: 405 and 415 with `malformed_message`. */
  readonly status?: number
  readonly nextSeq?: number
  /** Public: what is left, or when again, in a sentence for a person. It stands behind the table's advice and holds no secret. */
  readonly hint?: string
  /** Of one's own configuration: what to check. */
  readonly setting?: string
  readonly cause?: unknown
}

/**
 * A refusal that crosses the wire. The peer sees `code`, `error`, the table's advice and `hint`; `reason` is for the operator alone
 * and holds no token, key or credential.
 */
export class HandshakeError extends Error {
  override readonly name: string = 'HandshakeError'
  readonly code: number
  readonly error: ErrorName
  /** Private: which of several checks failed. Never sent. */
  readonly reason: string
  readonly rule: string | undefined
  readonly step: string | undefined
  readonly retryAfter: number | undefined
  readonly nextSeq: number | undefined
  /** Where a peer refused, its own words: untrusted, shown as such if at all. */
  readonly hint: string | undefined
  /** Where a peer refused us: which of our own settings to check. */
  readonly setting: string | undefined

  constructor(error: ErrorName, reason: string, options: RefusalOptions = {}) {
    super(`${error}: ${reason}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.status ?? entryOf(error).code
    this.error = error
    this.reason = reason
    this.rule = options.rule
    this.step = options.step
    this.retryAfter = options.retryAfter
    this.nextSeq = options.nextSeq
    this.hint = options.hint
    this.setting = options.setting
  }

  get retryable(): boolean {
    return RETRYABLE.has(this.code)
  }

  /** The object that is sent: no private reason in it. */
  toWire(timestamp: number): ErrorObject {
    const { advice } = entryOf(this.error)
    return {
      type: 'error',
      code: this.code,
      error: this.error,
      message: this.hint === undefined ? advice : `${advice} ${this.hint}`,
      retryable: this.retryable,
      timestamp,
      ...(this.nextSeq === undefined ? {} : { next_seq: this.nextSeq }),
    }
  }
}

/** 401: who somebody is could not be established, or is no longer accepted. */
export class IdentityError extends HandshakeError {
  override readonly name = 'IdentityError'
}

/** 403: they are who they say, and may not do this. */
export class PermissionError extends HandshakeError {
  override readonly name = 'PermissionError'
}

/** Trouble that stays at home: it is thrown to the caller of the library and never sent. */
export type LocalTrouble =
  | 'peer_violation'
  | 'transport_failed'
  | 'aborted'
  | 'did_unresolved'
  /** A registry shows a history that does not hold, or not the one it showed before (ATH-4.6). */
  | 'registry_violation'
  | 'store_unavailable'
  | 'session_closed'
  /** Another server answers than the one that was known at this address (ATH-6.1.5). */
  | 'server_changed'
  /** No credential in the vault fits what is asked for. */
  | 'credential_missing'
  /** Another passphrase or key than the vault's. */
  | 'vault_locked'
  | 'vault_damaged'
  | 'vault_busy'

export class AthError extends Error {
  override readonly name = 'AthError'
  readonly trouble: LocalTrouble
  readonly rule: string | undefined

  constructor(
    trouble: LocalTrouble,
    message: string,
    options: { rule?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.trouble = trouble
    this.rule = options.rule
  }
}

/** Builds the refusal of that name: `IdentityError` for 401, `PermissionError` for 403, `HandshakeError` for the rest. */
export function refuse(error: ErrorName, reason: string, options: RefusalOptions = {}): HandshakeError {
  const code = entryOf(error).code
  const Refusal = code === 401 ? IdentityError : code === 403 ? PermissionError : HandshakeError
  return new Refusal(error, reason, options)
}

export function isErrorName(name: unknown): name is ErrorName {
  return typeof name === 'string' && ERRORS.has(name as ErrorName)
}

function entryOf(error: ErrorName): ErrorEntry {
  const entry = ERRORS.get(error)
  if (entry === undefined) throw new TypeError(`no such error: ${String(error)}`)
  return entry
}
