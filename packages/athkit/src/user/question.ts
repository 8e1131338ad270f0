import type { Json } from '../crypto/json.ts'
import { keysOf } from '../did/document.ts'
import type { Resolver } from '../did/resolver.ts'
import { HandshakeError, refuse } from '../errors.ts'
import { type ConfirmationRequest, verifyConfirmationRequest } from '../handshake/index.ts'
import type { CredentialBook } from './credentials.ts'

export interface QuestionContext {
  readonly resolver: Resolver
  /** Pinned when the wallet was linked. */
  readonly serverDid: string
  readonly audience: string
  readonly userDid: string
  readonly credentials: CredentialBook
  readonly allowQuestionsAboutUnknownCredentials: boolean
  readonly now: () => number
  readonly signal?: AbortSignal | undefined
}

/**
 * A question, once it is known to be the pinned server's, for this user, at this audience, and about no more than the credential that
 * the user signed for that very agent (ATH-6.3.1).
 *
 * @throws HandshakeError by the name of the check; a wallet tells nobody
 */
export async function verifyQuestion(message: Json, context: QuestionContext): Promise<ConfirmationRequest> {
  const { serverDid, audience, userDid, resolver, now, signal } = context
  const verify = async (fresh: boolean) => {
    const { document, deactivated } = await resolver.resolve(serverDid, { fresh, signal })
    if (deactivated === true) throw refused('identity_revoked', 'the server has been deactivated')
    const serverKeys = await keysOf(document, 'authentication')
    return verifyConfirmationRequest(message, { serverDid, serverKeys, audience, userDid, now: now() })
  }
  const request = await verify(false).catch((error: unknown) => {
    // The server may have changed its key since its document was cached (ATH-4.4).
    if (error instanceof HandshakeError && error.error === 'signature_invalid') return verify(true)
    throw error
  })
  await checkCredential(request, context)
  return request
}

async function checkCredential(request: ConfirmationRequest, context: QuestionContext): Promise<void> {
  const credential = await context.credentials.find(request.credential_id)
  if (credential === undefined) {
    if (context.allowQuestionsAboutUnknownCredentials) return
    throw refused('credential_invalid', 'this wallet did not sign the credential')
  }
  if (credential.clientDid !== request.client_did)
    throw refused('credential_invalid', 'signed for another agent')
  if (!request.requested_scopes.every((scope) => credential.scopes.includes(scope))) {
    throw refused('scopes_invalid', 'the question asks for more than the credential')
  }
}

const refused = (error: Parameters<typeof refuse>[0], reason: string) =>
  refuse(error, reason, { rule: 'ATH-6.3.1', step: 'm6' })
