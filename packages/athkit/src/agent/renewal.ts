/**
 * A new access token before the old one ends (ATH-7.10). One renewal at a time.
 */
import type { Json } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'
import { AthError, HandshakeError, refuse } from '../errors.ts'
import { verifyRenewedToken } from '../token/renewal.ts'
import type { Connection } from './connection.ts'
import type { AgentContext } from './context.ts'
import { callOwn } from './own.ts'
import { singleFlight } from './single-flight.ts'

export interface Renewer {
  /** Gets a new token, now. @returns its end, in Unix seconds */
  renew(signal?: AbortSignal): Promise<number>
  /** Gets one where the old one is near its end, and the grant is not. */
  renewIfDue(signal?: AbortSignal): Promise<void>
}

/** Before the token's end, or a quarter of its life where that is shorter. */
const AHEAD_SECONDS = 60
const PAUSE_SECONDS = 10

export function createRenewer(
  agent: AgentContext,
  connection: Connection,
  onRenewed: (expiresAt: number) => void,
): Renewer {
  let notBefore = 0

  const renew = singleFlight(async () => {
    const path = '/ath/session/token'
    const body = { type: 'token_renewal', timestamp: agent.now() }
    const token = tokenIn(await callOwn(agent, connection, { method: 'POST', path, body }))
    connection.claims = await verify(token)
    connection.token = token
    await connection.keeper?.renewed(token)
    onRenewed(connection.claims.exp)
    return connection.claims.exp
  })

  /** A current key of the server signs it, which need not be the one of m2: a cached document may be behind. */
  async function verify(token: string) {
    const { claims: before, grantEnd, serverDid } = connection
    const attempt = async (fresh: boolean) => {
      const { document, deactivated } = await agent.resolver.resolve(serverDid, { fresh })
      if (deactivated === true)
        throw refuse('identity_revoked', 'the server has been deactivated', { rule: 'ATH-7.10' })
      return verifyRenewedToken(token, { before, grantEnd, server: document, now: agent.now() })
    }
    return attempt(false).catch((error: unknown) => {
      if (error instanceof HandshakeError && error.error === 'token_invalid') return attempt(true)
      throw error
    })
  }

  return {
    renew,
    async renewIfDue(signal) {
      const { claims, grantEnd } = connection
      const now = agent.now()
      const ahead = Math.min(AHEAD_SECONDS, Math.floor((claims.exp - claims.iat) / 4))
      if (now < claims.exp - ahead || claims.exp >= grantEnd || now < notBefore) return
      try {
        await renew(signal)
      } catch (error) {
        if (signal?.aborted === true) throw error
        notBefore = now + PAUSE_SECONDS
        // The old one lives to its end; after that there is nothing to go on with.
        if (now >= claims.exp && error instanceof HandshakeError) throw error
      }
    },
  }
}

function tokenIn(message: Json): string {
  if (isObject(message) && message.type === 'token_renewal' && typeof message.access_token === 'string') {
    return message.access_token
  }
  throw new AthError('peer_violation', 'the answer to a renewal is none', { rule: 'ATH-7.10' })
}
