import type { Json, JsonObject } from '../crypto/json.ts'
import type {
  ConfirmationRequest,
  HandshakeRequest,
  HandshakeResponse,
  VerifiedCredential,
} from '../handshake/index.ts'
import type { Started } from './audit-facts.ts'
import type { GrantRow, SessionRow } from './rows.ts'

/**
 * Everything known about one handshake: row `state` of its partition, one JSON object, replaced as a whole in its version. A step is
 * a function from one state to the next, so there is nothing that could be left half done.
 */
export interface HandshakeState {
  readonly id: string
  /** For the audit, once it is known whose handshake it is. */
  readonly started: Started
  readonly audience: string
  readonly clientInfo: JsonObject
  readonly m1: HandshakeRequest
  readonly m2: HandshakeResponse
  readonly phase: Phase
  /** Unix seconds of the last message that took a step (ATH-3.7). */
  readonly advancedAt: number
  /** m3 and m4, m5 and m8 (or what refused it), m9a and m9b: each message that took a step, with its answer (ATH-3.5). */
  readonly m3?: Taken | undefined
  readonly m5?: Taken | undefined
  readonly m9a?: Taken | undefined
  /** What was refused in the last step, which ends nothing: those messages have an answer as well. */
  readonly refused?: readonly Taken[] | undefined
  /** `hs` and H(m5), once they are known. */
  readonly handshakeHash?: string | undefined
  readonly scopeRequestHash?: string | undefined
  readonly user?: UserOfHandshake | undefined
  readonly asking?: Asking | undefined
  /** How m5 came, and what came behind it (ATH-3.6). */
  readonly flight?: FlightOfScopeRequest | undefined
  /** Of a grant that is to be committed, or was. */
  readonly completion?: Completion | undefined
}

/**
 * `identity`: m3 is due. `scopes`: m5. `asking`: the user is being asked, or has answered and nobody has fetched what follows.
 * `keys`: m9a. `complete`: m9b was made. `ended`: refused, denied or lapsed.
 */
export type Phase = 'identity' | 'scopes' | 'asking' | 'keys' | 'complete' | 'ended'

export interface Taken {
  readonly message: JsonObject
  /** Absent while the user is being asked, and once a receipt that held a token was erased. */
  readonly answer?: Answer
}

export interface Answer {
  readonly status: number
  readonly body: JsonObject
  /** Seconds, for `Retry-After`. */
  readonly retryAfter?: number
}

/** The credential of m5, verified, and whose account it is. */
export interface UserOfHandshake extends Omit<VerifiedCredential, 'key' | 'audience' | 'issuedAt'> {
  readonly account: string
  /** Thumbprint. */
  readonly key: string
}

export interface Asking {
  readonly question: ConfirmationRequest
  readonly questionHash: string
  /** The service's own restrictions that went into the question. */
  readonly restrictions: JsonObject
}

export interface FlightOfScopeRequest {
  readonly isArray: boolean
  /** Messages that wait for the user's answer, their skew judged at receipt. */
  readonly kept: readonly { readonly message: Json; readonly receivedAt: number }[]
  /** Whether m9a came behind m5, so that its answer belongs to the outcome. */
  readonly withKeys: boolean
  /** What refused a kept message, where it was not m9a's own refusal. */
  readonly failure?: Answer
}

export interface Completion {
  readonly grant: GrantRow
  readonly session: SessionRow
}
