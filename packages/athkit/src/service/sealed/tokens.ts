import { decodeJwt } from '../../crypto/jws.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import { type AccessTokenClaims, verifyPresentedToken } from '../../token/access-token.ts'
import type { ServiceContext } from '../context.ts'
import type { KnownSession } from './sessions.ts'

type Headers = readonly (readonly [string, string])[]

/** Of one session: the one in use and the one that it was renewed from. */
const MOST_TOKENS = 4

/**
 * The claims of the inner request's Bearer token (ATH-7.5). Its signature, and that it is of this session, are checked once per
 * token and process; its end each time.
 *
 * @param expiredWillDo on the session's own paths, which accept one that has expired (ATH-7.10)
 * @throws HandshakeError `token_invalid`
 */
export async function presentedToken(
  context: ServiceContext,
  known: KnownSession,
  headers: Headers,
  expiredWillDo: boolean,
): Promise<AccessTokenClaims> {
  const token = bearerOf(headers)
  const claims = known.tokens.get(token) ?? (await verify(context, known, token))
  if (claims.exp <= context.now() && !expiredWillDo) throw invalid('expired')
  return claims
}

const BEARER = /^Bearer +([^ ]+)$/i

function bearerOf(headers: Headers): string {
  let found: string | undefined
  for (const [name, value] of headers) {
    if (name.length !== 13 || name.toLowerCase() !== 'authorization') continue
    if (found !== undefined) throw invalid('two Authorization headers')
    found = value
  }
  const token = found === undefined ? undefined : BEARER.exec(found)?.[1]
  if (token === undefined) throw invalid('no Bearer token')
  return token
}

async function verify(
  context: ServiceContext,
  known: KnownSession,
  token: string,
): Promise<AccessTokenClaims> {
  const { sid, session, tokens } = known
  const claims = await verifyPresentedToken(token, {
    keys: context.serverKeys,
    // Its end is judged with every request: here it counts as not yet over.
    now: Math.min(context.now(), endOf(token) - 1),
    issuer: context.identity.did,
    audience: session.audience,
    clientId: session.clientDid,
    subject: session.userDid,
    sid,
    transcript: session.transcript,
  })
  if (tokens.size >= MOST_TOKENS) tokens.delete(tokens.keys().next().value as string)
  tokens.set(token, claims)
  return claims
}

function endOf(token: string): number {
  try {
    const { exp } = decodeJwt(token).claims
    if (typeof exp === 'number') return exp
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
  }
  throw invalid('not a JWT with an end')
}

const invalid = (reason: string) => refuse('token_invalid', reason, { rule: 'ATH-7.5' })
