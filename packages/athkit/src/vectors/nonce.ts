import { fromBase64url } from '../crypto/bytes.ts'
import { canonicalize } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import { without } from '../crypto/shape.ts'
import { refuse } from '../errors.ts'
import { checkServerNonce, type HandshakeResponse } from '../handshake/2-handshake-response.ts'
import type { HandshakeRequest } from '../handshake/index.ts'
import {
  checkNonceForm,
  createNonce,
  isCommitted,
  type LiteralPeer,
  type Role,
  verifyCommitment,
} from '../handshake/nonce.ts'

interface Input {
  readonly role: Role
  readonly audience: string
  readonly message: JsonObject
  readonly request?: HandshakeRequest
  readonly r?: string
  readonly literal_peers?: readonly LiteralPeer[]
}

/** nonce.json: building a committed nonce, or checking one (ATH-5.4, ATH-6.1.1, ATH-6.1.2). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const { role, audience, message, request, r, literal_peers } = input as unknown as Input
  const bare = without(message, 'nonce')
  const context = role === 'client' ? { audience, message: bare } : { audience, request, message: bare }
  if (r !== undefined) {
    const nonce = await createNonce(role, context, fromBase64url(r))
    return { nonce, context: canonicalize(context) }
  }
  const step = role === 'client' ? 'm1' : 'm2'
  const { nonce } = message
  if (typeof nonce !== 'string') throw refuse('malformed_message', 'no nonce')
  checkNonceForm(nonce, step)
  if (request !== undefined && literal_peers !== undefined) {
    const response = message as HandshakeResponse
    await checkServerNonce(response, { audience, request, literalPeers: literal_peers })
  } else if (isCommitted(nonce)) {
    await verifyCommitment(nonce, role, context, step)
  }
  return { committed: isCommitted(nonce) }
}
