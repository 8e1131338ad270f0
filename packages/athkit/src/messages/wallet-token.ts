/**
 * The token with which a user's wallet reads its inbox and its grants (ATH-6.3.5): short-lived, good once, signed by the user.
 */
import * as v from 'valibot'
import type { Awaitable } from '../crypto/bytes.ts'
import { decodeJwt, signJwt, verifyJwt } from '../crypto/jws.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { type Identity, time } from '../crypto/shape.ts'
import { HandshakeError, refuse } from '../errors.ts'

export const WALLET_TOKEN_TYP = 'ath-wallet+jwt'

const LONGEST_SECONDS = 300

const WalletClaims = v.object({
  iss: v.string(),
  aud: v.string(),
  iat: time,
  exp: time,
  jti: v.pipe(v.string(), v.minLength(1)),
})

export interface WalletTokenOptions {
  readonly user: Identity
  /** The server's origin. */
  readonly audience: string
  /** Unix seconds. */
  readonly now: number
  /** Unique for this user: `randomId()`. */
  readonly jti: string
  /** At most 300, the default; a long-poll or a stream ends with it. */
  readonly lifetimeSeconds?: number
}

/** @throws TypeError when it would live longer than 300 s */
export async function createWalletToken(options: WalletTokenOptions): Promise<string> {
  const { user, audience, now, jti, lifetimeSeconds = LONGEST_SECONDS } = options
  if (!(lifetimeSeconds > 0 && lifetimeSeconds <= LONGEST_SECONDS)) {
    throw new TypeError('a wallet token lives 1 to 300 seconds')
  }
  const claims = { iss: user.did, aud: audience, iat: now, exp: now + lifetimeSeconds, jti }
  return signJwt(user.signer, WALLET_TOKEN_TYP, claims)
}

export interface WalletTokenContext {
  /** Unix seconds. */
  readonly now: number
  /** Of this server (ATH-3.1). */
  readonly origins: readonly string[]
  enrolled(userDid: string): Awaitable<boolean>
  /** The `authentication` keys of a DID; asked for enrolled ones only. */
  keysOf(userDid: string): Awaitable<readonly PublicKey[]>
  /** Exactly one caller gets true for an (iss, jti); remembered until `exp`. */
  takeJti(userDid: string, jti: string, exp: number): Awaitable<boolean>
}

export interface VerifiedWalletToken {
  readonly userDid: string
  /** Unix seconds: streams and polls end here. */
  readonly expiresAt: number
}

/**
 * The server's checks: the claims' form, enrolment, signature and times, audience, and that it was not used before. A DID that is
 * not enrolled is not resolved, and gets the same answer as a bad signature.
 *
 * @throws HandshakeError `token_invalid`; what a resolver throws for an enrolled DID
 */
export async function verifyWalletToken(
  token: unknown,
  context: WalletTokenContext,
): Promise<VerifiedWalletToken> {
  const { now } = context
  const { iss, aud, iat, exp, jti } = claimsOf(token)
  if (!context.origins.includes(aud)) throw invalid('of another audience')
  // With `exp` to come this also bounds `iat` in the past; `verifyJwt` bounds it in the future.
  if (exp > iat + LONGEST_SECONDS) throw invalid('lives longer than 300 s')

  if (!(await context.enrolled(iss))) throw invalid('the user is not enrolled')
  const keys = await context.keysOf(iss)
  await verifyJwt(token, { typ: WALLET_TOKEN_TYP, keys, now, refuseAs: 'token_invalid' })
  if (!(await context.takeJti(iss, jti, exp))) throw invalid('used before')
  return { userDid: iss, expiresAt: exp }
}

function claimsOf(token: unknown): v.InferOutput<typeof WalletClaims> {
  try {
    const claims = v.safeParse(WalletClaims, decodeJwt(token).claims)
    if (claims.success) return claims.output
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
  }
  throw invalid('not a JWT with its claims')
}

const invalid = (reason: string) => refuse('token_invalid', `wallet token: ${reason}`, { rule: 'ATH-6.3.5' })
