import * as v from 'valibot'
import { equalBytes, toBase64url, utf8 } from '../crypto/bytes.ts'
import { canonicalize } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import { signJwt, verifyJwt } from '../crypto/jws.ts'
import type { PublicKey, Signer } from '../crypto/keys.ts'
import { refuse } from '../errors.ts'

/** The access token (ATH-6.5.3): bound to one session by `cnf.ath_sid`, and to one handshake by `ath_transcript`. */
export const ACCESS_TOKEN_TYP = 'ath-at+jwt'

const Claims = v.object({
  iss: v.string(),
  sub: v.string(),
  client_id: v.string(),
  aud: v.string(),
  iat: v.pipe(v.number(), v.safeInteger()),
  exp: v.pipe(v.number(), v.safeInteger()),
  jti: v.pipe(v.string(), v.minLength(1)),
  scope: v.pipe(v.string(), v.minLength(1)),
  restrictions: v.nullish(
    v.custom<JsonObject>((value) => typeof value === 'object' && !Array.isArray(value)),
  ),
  cnf: v.object({ ath_sid: v.string() }),
  ath_transcript: v.string(),
})
export type AccessTokenClaims = v.InferOutput<typeof Claims>

export function issueAccessToken(signer: Signer, claims: AccessTokenClaims): Promise<string> {
  return signJwt(signer, ACCESS_TOKEN_TYP, { ...claims, cnf: { ...claims.cnf } })
}

export interface TokenContext {
  /** The service's keys that a token may be signed with. */
  readonly keys: readonly PublicKey[]
  /** Unix seconds. */
  readonly now: number
}

/**
 * Signature, type and times of a token, and its claims.
 *
 * @throws HandshakeError `token_invalid`
 */
export async function readAccessToken(
  token: unknown,
  { keys, now }: TokenContext,
): Promise<AccessTokenClaims> {
  const expected = { typ: ACCESS_TOKEN_TYP, keys, now, refuseAs: 'token_invalid', rule: 'ATH-6.5.4' } as const
  const { claims } = await verifyJwt(token, expected)
  if (!v.is(Claims, claims)) throw invalid('a claim is missing or not as it must be')
  return claims
}

/** What the client saw of the handshake, and computed itself. */
export interface IssuedTokenExpectation extends TokenContext {
  readonly issuer: string
  readonly subject: string
  readonly clientId: string
  readonly audience: string
  readonly scopes: readonly string[]
  /** Of m8. */
  readonly restrictions: JsonObject | undefined
  readonly sid: Uint8Array
  readonly transcript: Uint8Array
  /** Unix seconds: `timestamp` + `ttl_granted` of m8. */
  readonly grantEnd: number
  /** Seconds: `token_max_ttl` of m4. */
  readonly tokenMaxTtl: number | undefined
}

/**
 * The client's check of the token in m9b: every claim against what it saw, the transcript and the session id against its own
 * (ATH-6.5.4).
 *
 * @throws HandshakeError `token_invalid`
 */
export async function verifyIssuedToken(
  token: unknown,
  expected: IssuedTokenExpectation,
): Promise<AccessTokenClaims> {
  const claims = await readAccessToken(token, expected)
  const longest = Math.min(expected.tokenMaxTtl ?? Number.POSITIVE_INFINITY, expected.grantEnd - claims.iat)
  const checks: readonly (readonly [name: string, holds: boolean])[] = [
    ['iss', claims.iss === expected.issuer],
    ['sub', claims.sub === expected.subject],
    ['client_id', claims.client_id === expected.clientId],
    ['aud', claims.aud === expected.audience],
    ['scope', sameScopes(claims.scope, expected.scopes)],
    ['restrictions', canonicalize(claims.restrictions ?? {}) === canonicalize(expected.restrictions ?? {})],
    ['cnf', claims.cnf.ath_sid === toBase64url(expected.sid)],
    ['ath_transcript', equalBytes(utf8(claims.ath_transcript), utf8(toBase64url(expected.transcript)))],
    ['exp', claims.exp - claims.iat <= longest],
  ]
  const failed = checks.find(([, holds]) => !holds)
  if (failed !== undefined) throw invalid(`claim ${failed[0]} is not what the handshake said`)
  return claims
}

/** What the service knows of the session that a request came in. */
export interface PresentedTokenExpectation extends TokenContext {
  readonly issuer: string
  readonly audience: string
  readonly clientId: string
  readonly subject: string
  /** base64url. */
  readonly sid: string
  /** base64url. */
  readonly transcript: string
}

/**
 * The service's check of the Bearer token inside a sealed request: its own, in time, and of this very session (ATH-7.5).
 *
 * @throws HandshakeError `token_invalid`
 */
export async function verifyPresentedToken(
  token: unknown,
  expected: PresentedTokenExpectation,
): Promise<AccessTokenClaims> {
  const claims = await readAccessToken(token, expected)
  checkOfSession(claims, expected)
  return claims
}

/** Whether the claims are those of this session. @throws HandshakeError `token_invalid` */
export function checkOfSession(
  claims: AccessTokenClaims,
  expected: Omit<PresentedTokenExpectation, 'keys' | 'now'>,
): void {
  const fits =
    claims.cnf.ath_sid === expected.sid &&
    claims.ath_transcript === expected.transcript &&
    claims.iss === expected.issuer &&
    claims.aud === expected.audience &&
    claims.client_id === expected.clientId &&
    claims.sub === expected.subject
  if (!fits) throw invalid('the token is of another session')
}

function sameScopes(scope: string, scopes: readonly string[]): boolean {
  return scope.split(' ').sort().join(' ') === [...scopes].sort().join(' ')
}

const invalid = (reason: string) => refuse('token_invalid', reason, { rule: 'ATH-6.5.4' })
