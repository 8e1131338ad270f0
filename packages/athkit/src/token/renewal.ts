import { type DidDocument, keysOf } from '../did/document.ts'
import { refuse } from '../errors.ts'
import { type AccessTokenClaims, readAccessToken } from './access-token.ts'
import { atLeastAsStrict } from './restrictions.ts'

export interface RenewalExpectation {
  /** The claims of the token that is replaced. */
  readonly before: AccessTokenClaims
  /** Unix seconds. */
  readonly grantEnd: number
  /** The current document of the server: any of its keys may sign, not only that of m2 (ATH-7.10). */
  readonly server: DidDocument
  /** Unix seconds. */
  readonly now: number
}

/**
 * The client's check of a renewed token (ATH-7.10): the same grant, for the same session, with no more scopes, no looser
 * restrictions, not beyond the grant's end. On a refusal it keeps the old one.
 *
 * @throws HandshakeError `token_invalid`
 */
export async function verifyRenewedToken(
  token: unknown,
  expected: RenewalExpectation,
): Promise<AccessTokenClaims> {
  const { before, grantEnd, server, now } = expected
  const claims = await readAccessToken(token, { keys: await keysOf(server, 'authentication'), now })
  const scopes = claims.scope.split(' ')
  const granted = before.scope.split(' ')
  const checks: readonly (readonly [name: string, holds: boolean])[] = [
    ['iss', claims.iss === before.iss],
    ['sub', claims.sub === before.sub],
    ['client_id', claims.client_id === before.client_id],
    ['aud', claims.aud === before.aud],
    ['cnf', claims.cnf.ath_sid === before.cnf.ath_sid],
    ['ath_transcript', claims.ath_transcript === before.ath_transcript],
    ['jti', claims.jti !== before.jti],
    ['scope', new Set(scopes).size === scopes.length && scopes.every((scope) => granted.includes(scope))],
    ['restrictions', atLeastAsStrict(claims.restrictions ?? {}, before.restrictions ?? {})],
    ['exp', claims.exp <= grantEnd],
  ]
  const failed = checks.find(([, holds]) => !holds)
  if (failed !== undefined) {
    throw refuse('token_invalid', `renewed token: ${failed[0]} is not within the grant`, { rule: 'ATH-7.10' })
  }
  return claims
}
