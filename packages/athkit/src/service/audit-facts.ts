import type { AuditEvent, AuditFact } from '../audit/index.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { ServiceEvent } from './events.ts'

/** What the audit keeps of an event (ATH-10): this is the one table of it. Nothing, where it is counted and not written. */
export function factsOf(event: ServiceEvent, now: number): readonly AuditFact[] {
  const { clientDid, userDid, grantId, handshakeId } = event as Parties
  const fact = (name: AuditEvent, detail: JsonObject, timestamp = now): AuditFact => ({
    event: name,
    timestamp,
    client_did: clientDid,
    user_did: userDid,
    grant_id: grantId,
    handshake_id: handshakeId,
    detail,
  })
  switch (event.type) {
    // Written with the identity: whoever never proves one leaves no entry behind.
    case 'handshake_started':
      return []
    case 'identity_proven':
      return [fact('handshake started', ...startedOf(event)), fact('identity proven', {})]
    case 'identity_refused':
      return [fact('handshake started', ...startedOf(event)), fact('identity refused', whyOf(event))]
    case 'confirmation_sent':
      return [fact('confirmation sent', { request_id: event.requestId })]
    case 'confirmation_skipped':
      return [fact('confirmation skipped', { scopes: event.scopes })]
    case 'confirmation_answered':
      return [fact('answered', { request_id: event.requestId, approved: event.approved })]
    case 'confirmation_lapsed':
      return [fact('confirmation lapsed', { request_id: event.requestId })]
    case 'scopes_decided': {
      const { credentialId: credential_id, granted, denied } = event
      return [fact('scopes decided', { credential_id, granted, denied: denied.map((each) => ({ ...each })) })]
    }
    case 'token_issued':
      return [fact('token issued', { sid: event.sid })]
    case 'token_renewed':
      return [fact('renewed', { jti: event.jti })]
    case 'keys_rotated':
      return [fact('keys rotated', { sid: event.sid, epoch: event.epoch })]
    case 'session_ended':
      return [fact('session ended', { sid: event.sid })]
    case 'restriction_violated':
      return [fact('restriction violated', { restriction: event.restriction })]
    case 'revoked': {
      const { kind, id, by, reason } = event
      return [fact('revoked', { kind, id, by, reason })]
    }
    case 'user_linked':
      return [fact('user linked', { account: event.account })]
    case 'user_unlinked':
      return [fact('user unlinked', { account: event.account })]
    case 'agent_changed': {
      const { state, by = 'service', reason = '' } = event
      return [fact('agent changed', { state, by, reason })]
    }
    // What a request spends is said by its order; what an operator gives back is said by nothing else.
    case 'spent': {
      const { restriction, amount, by } = event
      return by === undefined ? [] : [fact('budget given back', { restriction, amount, by })]
    }
    case 'policy_reloaded':
      return [fact('policy reloaded', {})]
    case 'warning':
      return [fact('default weakened', { message: event.message })]
    case 'refused':
      return refusal(event).map((name) => fact(name, whyOf(event)))
    // Said by other entries, or of no decision.
    case 'session_confirmed':
    case 'failed':
      return []
  }
}

type Refused = Extract<ServiceEvent, { readonly type: 'refused' }>

/**
 * What ends a handshake after its identity was proven, and every refusal inside a session. Replays are counted, and so is what was
 * refused before anybody had proven who they are; a restriction has an entry of its own.
 */
function refusal({ error, ended, grantId }: Refused): readonly AuditEvent[] {
  if (ended === true) return ['handshake refused']
  if (grantId === undefined || error === 'replayed') return []
  return error === 'restriction_violated' || error === 'rate_limited' ? [] : ['sealed request refused']
}

type Why = { readonly error: string; readonly reason: string; readonly rule?: string | undefined }

const whyOf = ({
  error,
  reason,
  rule,
  ...rest
}: Why & { readonly step?: string | undefined }): JsonObject => ({
  error,
  reason,
  ...(rule === undefined ? {} : { rule }),
  ...(rest.step === undefined ? {} : { step: rest.step }),
})

function startedOf({ started }: { readonly started: Started }): [JsonObject, number] {
  const { at, address, committedNonce } = started
  return [{ address, committed_nonce: committedNonce }, at]
}

/** How an m1 came, told once it is known whose it was. */
export interface Started {
  /** Unix seconds. */
  readonly at: number
  readonly address: string
  readonly committedNonce: boolean
}

/** Whom an event may name. */
interface Parties {
  readonly clientDid?: string | undefined
  readonly userDid?: string | undefined
  readonly grantId?: string | undefined
  readonly handshakeId?: string | undefined
}
