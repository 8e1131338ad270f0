import { type ErrorName, HandshakeError, refuse } from '../errors.ts'

interface Setting {
  /** The option of `createAgent` or `connect`. */
  readonly name: string
  readonly check: string
}

/** What a 401 of the service's says of our own configuration (ATH-9: check identity, start a new handshake). */
const SETTINGS: ReadonlyMap<ErrorName, Setting> = new Map([
  [
    'identity_unknown',
    {
      name: 'identity',
      check: 'its `did` has to resolve for the service: a named DID in the registry that it asks',
    },
  ],
  ['identity_revoked', { name: 'identity', check: 'its DID was deactivated; make another' }],
  [
    'key_mismatch',
    {
      name: 'identity',
      check: 'its `signer` has to hold an authentication key of the DID’s current document',
    },
  ],
  ['signature_invalid', { name: 'identity', check: 'its `signer` has to sign with the key that it shows' }],
  [
    'nonce_mismatch',
    {
      name: 'url',
      check: 'the address that was dialled has to be an origin that the service is configured with',
    },
  ],
  ['handshake_replayed', { name: 'fetch', check: 'something on the way sends the same request twice' }],
  ['timestamp_skew', { name: 'now', check: 'the clock of this machine is off' }],
  [
    'credential_invalid',
    {
      name: 'authorization',
      check:
        'the credential has to be signed by a user whom the service knows, for this agent’s DID, and its `aud` has to name the service',
    },
  ],
  [
    'credential_expired',
    { name: 'authorization', check: 'the credential has ended; ask the user for another' },
  ],
  [
    'credential_revoked',
    { name: 'authorization', check: 'the user took the credential back; ask for another' },
  ],
  [
    'grant_revoked',
    { name: 'authorization', check: 'the grant was taken back; ask the user, and connect again' },
  ],
  [
    'token_invalid',
    { name: 'now', check: 'a renewed token was refused as well: the clock may be off; connect again' },
  ],
  [
    'session_unknown',
    { name: 'connect', check: 'the service does not know the session any more; connect again' },
  ],
  ['session_expired', { name: 'connect', check: 'the session or its keys are over; connect again' }],
])

/** A 401 that the service refused us with, saying which of our settings to check. Every other error is given back as it is. */
export function explained(error: unknown): unknown {
  // With a rule, it was we who refused.
  if (!(error instanceof HandshakeError) || error.code !== 401 || error.rule !== undefined) return error
  const setting = SETTINGS.get(error.error)
  if (setting === undefined || error.setting !== undefined) return error
  const { step, retryAfter, hint } = error
  return refuse(error.error, `${error.reason}; check \`${setting.name}\`: ${setting.check}`, {
    setting: setting.name,
    cause: error,
    ...(step === undefined ? {} : { step }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(hint === undefined ? {} : { hint }),
  })
}

/** The same for all that the work throws. */
export async function explaining<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw explained(error)
  }
}
