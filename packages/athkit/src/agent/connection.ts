import { fromBase64url } from '../crypto/bytes.ts'
import type { EpochKeys } from '../session/keys.ts'
import type { AccessTokenClaims } from '../token/access-token.ts'
import type { AgentContext } from './context.ts'
import type { Established } from './established.ts'
import { createSequence, type Sequence } from './sequence.ts'
import { createSlots, type Slots } from './slots.ts'

/** The keys of an epoch, and the numbers used under them. They change together. */
export interface Epoch {
  readonly keys: EpochKeys
  readonly sequence: Sequence
}

/** What one handshake established, as it stands now: keys and token change, the rest does not. */
export interface Connection {
  readonly established: Established
  readonly audience: string
  readonly endpoint: string
  readonly sid: Uint8Array
  /** `capabilities` of m2. */
  readonly capabilities: readonly string[]
  readonly serverDid: string
  /** Unix seconds. */
  readonly grantEnd: number
  readonly slots: Slots
  epoch: Epoch
  token: string
  claims: AccessTokenClaims
}

export function connectionOf(agent: AgentContext, established: Established): Connection {
  const { complete, server, audience, sessionEndpoint, grantEnd } = established
  const { c2s, s2c, rekey } = complete.secrets
  const keys = {
    c2s,
    s2c,
    rekey,
    epoch: 0,
    cipher: established.messages.m9a.cipher_suite as EpochKeys['cipher'],
    createdAt: agent.now(),
  }
  return {
    established,
    audience,
    endpoint: sessionEndpoint,
    sid: fromBase64url(complete.claims.cnf.ath_sid, 16),
    capabilities: server.response.capabilities,
    serverDid: server.response.server_did,
    grantEnd,
    slots: createSlots(agent.concurrency),
    epoch: { keys, sequence: createSequence() },
    token: complete.message.access_token,
    claims: complete.claims,
  }
}
