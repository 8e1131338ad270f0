import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { without } from '../crypto/shape.ts'
import { signingInput } from '../crypto/signature.ts'
import { type DidDocument, keysOf } from '../did/document.ts'
import {
  CONFIRMATION_REQUEST_LABEL,
  type ConfirmationRequest,
  verifyConfirmationRequest,
} from '../handshake/6-authorization-confirmation-request.ts'
import {
  CONFIRMATION_RESPONSE_LABEL,
  verifyConfirmationResponse,
} from '../handshake/7-authorization-confirmation-response.ts'
import { confirmationInput } from '../handshake/transcript.ts'
import { authenticationKeys } from './key-form.ts'

interface Input {
  readonly check: 'request' | 'response'
  readonly m6: ConfirmationRequest
  readonly server_did: string
  readonly audience: string
  readonly user_did: string
  readonly credential_scopes?: readonly string[] | null
  readonly m7: Json
  readonly user: DidDocument
  readonly now: number
}

/** confirmation.json: message 6 at the wallet, or message 7 at the server (ATH-6.3.1 to 6.3.3). */
export function check(input: JsonObject): Promise<JsonObject> {
  const typed = input as unknown as Input
  return typed.check === 'request' ? checkRequest(typed) : checkResponse(typed)
}

async function checkRequest(input: Input): Promise<JsonObject> {
  const { m6, server_did, audience, user_did, credential_scopes, now } = input
  const request = await verifyConfirmationRequest(m6, {
    serverDid: server_did,
    serverKeys: await authenticationKeys(server_did, now),
    audience,
    userDid: user_did,
    ...(credential_scopes ? { credentialScopes: credential_scopes } : {}),
    now,
  })
  return {
    hash: await hash(request),
    signing_input: signingInput(CONFIRMATION_REQUEST_LABEL, without(request, 'signature')),
  }
}

async function checkResponse({ m6, m7, user, now }: Input): Promise<JsonObject> {
  const userKeys = await keysOf(user, 'authentication')
  const answer = await verifyConfirmationResponse(m7, { request: m6, userKeys, now })
  return {
    approved: answer.approved,
    hash: answer.hash,
    signing_input: signingInput(CONFIRMATION_RESPONSE_LABEL, await confirmationInput(m6, m7 as JsonObject)),
  }
}
