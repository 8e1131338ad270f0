import { AthError, HandshakeError } from '../errors.ts'
import type { Connection } from './connection.ts'
import type { AgentContext } from './context.ts'
import { callOwn } from './own.ts'

/** So that the grant ends, and the credential's use is released (ATH-3.6); what fails here lapses by itself. */
export async function giveBack(agent: AgentContext, connection: Connection): Promise<void> {
  try {
    await callOwn(agent, connection, { method: 'DELETE', path: '/ath/session' })
  } catch (error) {
    if (!(error instanceof HandshakeError || error instanceof AthError)) throw error
  }
}
