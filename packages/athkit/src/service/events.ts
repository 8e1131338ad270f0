import type { ErrorName } from '../errors.ts'
import type { DenialCode } from '../handshake/decision.ts'
import type { Started } from './audit-facts.ts'

/**
 * What the service decided, told to the operator's `onEvent` in full (ATH-9, ATH-10). Nothing in an event is a token, a key or a
 * credential. The audit of ATH-10 is made of these.
 */
export type ServiceEvent =
  | ({
      readonly type: 'handshake_started'
      readonly committedNonce: boolean
      readonly address: string
    } & InHandshake)
  | ({ readonly type: 'identity_proven'; readonly started: Started } & InHandshake)
  /** They are who they say, and are not let in. */
  | ({
      readonly type: 'identity_refused'
      readonly error: ErrorName
      readonly reason: string
      readonly rule?: string | undefined
      readonly started: Started
    } & InHandshake)
  | ({
      readonly type: 'confirmation_sent'
      readonly requestId: string
      readonly userDid: string
    } & InHandshake)
  | ({
      readonly type: 'confirmation_skipped'
      readonly userDid: string
      readonly scopes: readonly string[]
    } & InHandshake)
  | {
      readonly type: 'confirmation_answered'
      readonly requestId: string
      readonly userDid: string
      readonly clientDid: string
      readonly approved: readonly string[]
    }
  | {
      readonly type: 'confirmation_lapsed'
      readonly requestId: string
      readonly userDid: string
      readonly clientDid: string
    }
  | ({
      readonly type: 'scopes_decided'
      readonly userDid: string
      readonly credentialId: string
      readonly granted: readonly string[]
      readonly denied: readonly { readonly scope: string; readonly code: DenialCode }[]
    } & InHandshake)
  | ({
      readonly type: 'token_issued'
      readonly grantId: string
      readonly userDid: string
      readonly sid: string
    } & InHandshake)
  | ({ readonly type: 'token_renewed'; readonly jti: string } & InGrant)
  | ({ readonly type: 'keys_rotated'; readonly sid: string; readonly epoch: number } & InGrant)
  | ({ readonly type: 'session_confirmed' | 'session_ended'; readonly sid: string } & InGrant)
  | ({ readonly type: 'restriction_violated'; readonly restriction: string } & InGrant)
  /** What a request had reserved from a budget, once its outcome is known; never told of one whose process died. */
  | ({
      readonly type: 'spent'
      readonly restriction: string
      readonly amount: number
      readonly outcome: 'committed' | 'refunded'
      /** The operator, who gave it back. */
      readonly by?: string
    } & InGrant)
  | {
      readonly type: 'revoked'
      /** `request`: the question that a user names. `party`, `agent`, `link`: all grants of a DID, an agent, a user's account. */
      readonly kind: 'grant' | 'credential' | 'request' | 'party' | 'agent' | 'link'
      readonly id: string
      readonly by: string
      readonly reason: string
      readonly userDid?: string
      readonly clientDid?: string
      readonly grantId?: string
    }
  /** The operator's word about an agent; `pending`: one is waited for. */
  | {
      readonly type: 'agent_changed'
      readonly clientDid: string
      readonly state: 'pending' | 'approved' | 'suspended'
      readonly by?: string
      readonly reason?: string
    }
  | { readonly type: 'policy_reloaded' }
  /** ATH-4.7. */
  | {
      readonly type: 'user_linked' | 'user_unlinked'
      readonly userDid: string
      readonly account: string
    }
  /** A message or request was refused: `reason` says which of several checks failed, the peer sees `error` alone. */
  | {
      readonly type: 'refused'
      readonly error: ErrorName
      readonly reason: string
      readonly rule?: string | undefined
      readonly step?: string | undefined
      readonly handshakeId?: string | undefined
      /** It ended a handshake whose identity was proven. */
      readonly ended?: boolean | undefined
      readonly clientDid?: string | undefined
      readonly userDid?: string | undefined
      readonly grantId?: string | undefined
      readonly address?: string | undefined
    }
  /** A bug, or a store that is out of reach: the peer saw 500 or 503 and nothing else. */
  | { readonly type: 'failed'; readonly where: string; readonly cause: unknown }
  /** At start-up: a setting that weakens a default. */
  | { readonly type: 'warning'; readonly message: string }

interface InHandshake {
  readonly handshakeId: string
  readonly clientDid: string
}

interface InGrant {
  readonly grantId: string
  readonly clientDid: string
  readonly userDid: string
}
