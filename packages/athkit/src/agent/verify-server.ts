import type { Json } from '../crypto/json.ts'
import { HandshakeError, refuse } from '../errors.ts'
import * as h from '../handshake/index.ts'
import type { AgentContext } from './context.ts'
import { audienceOf } from './credential-claims.ts'
import type { Narrator } from './events.ts'
import type { Wish } from './from-vault.ts'
import { located } from './located.ts'

export interface Answered {
  /** m2, as it came. */
  readonly message: Json
  readonly request: h.HandshakeRequest
  readonly audience: string
  readonly tell: Narrator
}

/**
 * The checks of m2, told by name; a key that its cached document does not have is looked for in a fresh one (ATH-4.4).
 *
 * @throws HandshakeError by the name of the check that failed
 */
export async function verifyServer(
  agent: AgentContext,
  { authorization, serverDid, signal }: Wish,
  { message, request, audience, tell }: Answered,
): Promise<h.VerifiedServer> {
  let passed: h.ServerCheck[] = []
  const verify = (fresh: boolean) => {
    passed = []
    return h.verifyHandshakeResponse(message, {
      request,
      audience,
      now: agent.now(),
      resolver: { resolve: (did) => agent.resolver.resolve(did, { fresh, signal }) },
      pins: serverDid === undefined ? agent.pins : [serverDid],
      credentialAudience: audienceOf(authorization),
      literalPeers: agent.literalPeers,
      trustOnFirstUse: agent.trustOnFirstUse,
      onCheck: (check) => passed.push(check),
    })
  }
  try {
    const server = await verify(false).catch((error: unknown) => {
      if (error instanceof HandshakeError && error.error === 'key_mismatch') return verify(true)
      throw error
    })
    checkAskedFor(server, serverDid)
    tell.verified('m2', server.response, server.anchored)
    return server
  } catch (cause) {
    const error = located(cause, 'm2', h.SERVER_CHECKS[passed.length]?.rule ?? 'ATH-6.1.5')
    tell.refused(error, passed)
    throw error
  }
}

/** Whatever else vouches for another server: the one that was asked for, or none. */
function checkAskedFor({ response }: h.VerifiedServer, serverDid: string | undefined): void {
  if (serverDid === undefined || response.server_did === serverDid) return
  throw refuse('identity_unknown', 'another server than the one asked for', { rule: 'ATH-6.1.5', step: 'm2' })
}
