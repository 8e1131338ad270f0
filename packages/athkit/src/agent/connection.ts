import { fromBase64url } from '../crypto/bytes.ts'
import type { EpochKeys } from '../session/keys.ts'
import type { AccessTokenClaims } from '../token/access-token.ts'
import type { AgentContext } from './context.ts'
import type { DeniedScope } from './denied.ts'
import type { Established } from './established.ts'
import type { Keeper } from './keeper.ts'
import { createLeases, type Leases } from './leases.ts'
import { createKeptSequence, createSequence, type Sequence } from './sequence.ts'
import { createSlots, type Slots } from './slots.ts'

/** The keys of an epoch, and the numbers used under them. They change together. */
export interface Epoch {
  readonly keys: EpochKeys
  readonly sequence: Sequence
}

/** What a handshake established and does not change. */
export interface ConnectionFacts {
  /** The origin that was dialled, and of every request inside. */
  readonly audience: string
  readonly endpoint: string
  readonly sid: Uint8Array
  /** `capabilities` of m2. */
  readonly capabilities: readonly string[]
  readonly serverDid: string
  /** Unix seconds. */
  readonly grantEnd: number
  /** Whether a person was asked: then nobody asks again behind their back (ATH-7.11). */
  readonly askedUser: boolean
  readonly denied: readonly DeniedScope[]
  /** The `jti` of its first token: a revocation names the grant by it (ATH-8). */
  readonly grantId: string
}

/** What one handshake established, as it stands now: keys and token change, the rest does not. */
export interface Connection extends ConnectionFacts {
  readonly slots: Slots
  readonly leases: Leases
  /** Where the session is kept in the vault. */
  readonly keeper: Keeper | undefined
  epoch: Epoch
  token: string
  claims: AccessTokenClaims
}

export function connectionOf(agent: AgentContext, established: Established, keeper?: Keeper): Connection {
  const { complete, messages, audience, sessionEndpoint, grantEnd, askedUser, denied } = established
  const { c2s, s2c, rekey } = complete.secrets
  const cipher = messages.m9a.cipher_suite as EpochKeys['cipher']
  const keys = { c2s, s2c, rekey, epoch: 0, cipher, createdAt: agent.now() }
  return {
    audience,
    endpoint: sessionEndpoint,
    sid: fromBase64url(complete.claims.cnf.ath_sid, 16),
    capabilities: messages.m2.capabilities,
    serverDid: messages.m2.server_did,
    grantEnd,
    askedUser,
    denied,
    grantId: complete.claims.jti,
    slots: createSlots(agent.concurrency),
    leases: createLeases(),
    keeper,
    epoch: epochOf(keys, keeper),
    token: complete.message.access_token,
    claims: complete.claims,
  }
}

/** Numbers begin anew with the keys; those of a kept session are set aside in the vault. */
export const epochOf = (keys: EpochKeys, keeper: Keeper | undefined): Epoch => ({
  keys,
  sequence:
    keeper === undefined
      ? createSequence()
      : createKeptSequence((from, count) => keeper.reserve(keys.epoch, from, count)),
})
