/** The end of a handshake: the decision, the keys and the token (m8, m9b). */
import type { JsonObject } from '../crypto/json.ts'
import { publicKeyFromPem } from '../crypto/keys.ts'
import * as h from '../handshake/index.ts'
import type { Begun } from './begin.ts'
import { checkWithinCredential, userOf } from './credential-claims.ts'
import { deniedOf, ScopesDenied } from './denied.ts'
import type { Established } from './established.ts'
import type { Narrator } from './events.ts'
import type { Wish } from './from-vault.ts'
import { located } from './located.ts'

/**
 * @param question H(m6) that the 202 named, where the user was asked
 * @throws ScopesDenied when nothing was granted; HandshakeError by the name of the check that failed
 */
export async function complete(
  { audience, sessionEndpoint, anchored, metadata, messages: before, share }: Begun,
  [m8Received, m9bReceived]: readonly JsonObject[],
  { authorization }: Pick<Wish, 'authorization'>,
  context: { readonly question: string | undefined; readonly now: number; readonly tell: Narrator },
): Promise<Established> {
  const { question, now, tell } = context

  // 8 · what is granted
  const m8 = h.verifyScopeResult(m8Received, {
    request: before.m5,
    metadata,
    confirmationRequest: question,
    now,
  })
  checkWithinCredential(m8, authorization)
  tell.verified('m8', m8)
  const denied = deniedOf(m8.scopes_denied)
  if (m8.scopes_granted.length === 0) throw new ScopesDenied(denied, 'nothing was granted')

  // 9b · the keys and the token; the server is proven now
  const messages = { ...before, m8 }
  const serverKey = await publicKeyFromPem(before.m2.server_pubkey)
  const userDid = userOf(authorization)
  const { tokenMaxTtl } = metadata
  const completed = await h
    .verifyHandshakeComplete(m9bReceived, { audience, userDid, messages, share, serverKey, tokenMaxTtl, now })
    .catch((error: unknown) => {
      throw located(error, 'm9b', 'ATH-6.5.4')
    })
  tell.verified('m9b', completed.message)
  return {
    audience,
    sessionEndpoint,
    anchored,
    messages,
    complete: completed,
    denied,
    grantEnd: h.grantEnd(m8),
    askedUser: question !== undefined || (m8.confirmation ?? undefined) !== undefined,
  }
}
