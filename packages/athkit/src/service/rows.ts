import { hash } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'

/**
 * How the service's state lies in the store. What one sealed request touches lies under one partition, its (client, user) pair;
 * a handshake is a partition of its own until its grant commits, idempotently, into the pair's.
 *
 * | partition            | keys                                                                                      |
 * |----------------------|-------------------------------------------------------------------------------------------|
 * | `handshake:ID`       | `state`                                                                                   |
 * | `pair:H`             | `grant:ID` `session:SID` `uses:CREDENTIAL:HANDSHAKE` `revoked:CREDENTIAL` `revoked:GRANT` |
 * |                      | `idempotency:H`, `used:GRANT` (Unix seconds), window `SID:EPOCH`, counter `rate`,         |
 * |                      | `budget:NAME` (what was spent), `hold:ID` (what a request has reserved)                   |
 * | `user:DID`           | `question:REQUEST` `asked:CLIENT` `wallet:JTI`, `grant:CREDENTIAL:ID`,                    |
 * |                      | `granted-request:REQUEST` `revoked-request:REQUEST` `revoked:CREDENTIAL`,                 |
 * |                      | `account`, `unlinked:H(ACCOUNT)` (ATH-4.7)                                                |
 * | `account:H`          | `did:DID`: it may be linked to this account; `account` of the user says whether it is     |
 * | `enrolment:H`        | `open`: whose challenge it is; `used`: what used it up (ATH-4.7)                          |
 * | `client:DID`         | `grant:ID`: the grants of this client, `deactivated` (ATH-8), as for a user               |
 * |                      | `approval` (the operator's word), `suspended`, `m1:NONCE` (ATH-6.1.4)                     |
 * | `agents`             | `STATE:DID`: agents to list; counter `new`                                                |
 * | `cascades`           | `cascade:ID`: a revocation of many grants that is under way, or broke off                 |
 * | `node:INSTANCE`      | `alive`: the process still beats (ATH-7.7)                                                |
 * | `request:REQUEST_ID` | `at`: which partition holds it (a {@link Pointer})                                        |
 * | `grant:ID`           | the same; a grant's id is also its session's                                              |
 */
export const handshakePartition = (id: string) => `handshake:${id}`
export const userPartition = (userDid: string) => `user:${userDid}`
export const pairPartition = async (clientDid: string, userDid: string) =>
  `pair:${await hash([clientDid, userDid])}`
export const pointerPartition = (kind: 'request' | 'grant', id: string) => `${kind}:${id}`

/** Row `at` of a pointer partition. */
export interface Pointer {
  readonly partition: string
  readonly handshakeId?: string
  readonly clientDid?: string
  readonly userDid?: string
}

/** Row `grant:ID` of a pair: what the client may do until when (ATH-6.4, ATH-8). */
export interface GrantRow {
  /** The `jti` of the grant's first token (ATH-8), which is the id of its session. */
  readonly id: string
  readonly handshakeId: string
  readonly requestId?: string | undefined
  readonly clientDid: string
  readonly clientInfo: JsonObject
  readonly userDid: string
  readonly account: string
  readonly audience: string
  readonly credentialId: string
  /** Unix seconds: until when its use stays counted. */
  readonly credentialExpiresAt?: number
  /** Thumbprints of the keys that the renewal of 7.10 asks for again. */
  readonly clientKey: string
  readonly credentialKey: string
  readonly scopes: readonly string[]
  readonly restrictions: JsonObject
  /** Unix seconds: `timestamp` of m8, its end, and the end of being provisional (ATH-3.6). */
  readonly grantedAt: number
  readonly expiresAt: number
  readonly provisionalUntil: number
  readonly state: 'provisional' | 'live' | 'ended' | 'revoked'
  readonly lastUsedAt?: number
  /**
   * Where the credential has `max_uses`: row `key` of the pair holds the use, and lapses by itself at `provisionalUntil`. The first
   * valid request puts it again, value `spent`, until `until` (the credential's end); a DELETE while provisional deletes it.
   */
  readonly use?: { readonly key: string; readonly until: number } | undefined
}

/** One epoch's secrets, base64url, in row `session:SID`. */
export interface EpochRow {
  readonly epoch: number
  readonly c2s: string
  readonly s2c: string
  readonly rekey: string
  readonly createdAt: number
  /** Unix seconds of the first valid request under it; absent while it is only issued (ATH-7.9). */
  readonly confirmedAt?: number
  /** Unix seconds after which it is dropped: 30 s after its successor was confirmed. */
  readonly retiresAt?: number
  /** H(request) and the answer of the rotation that made it, for an identical resend. */
  readonly rotation?: { readonly request: string; readonly answer: JsonObject; readonly at: number }
}

/** Row `session:SID` of a pair. */
export interface SessionRow {
  /** base64url, and the id of the grant. */
  readonly sid: string
  readonly clientDid: string
  readonly userDid: string
  readonly audience: string
  readonly cipher: string
  readonly capabilities: readonly string[]
  readonly highestEpoch: number
  readonly epochs: readonly EpochRow[]
  /** `jti`s are not kept: a token is judged by its signature, its `cnf` and this transcript. */
  readonly transcript: string
  /**
   * The handshake whose receipt holds the first token, until the first valid request or the session's end erases it
   * (`eraseReceipt` of `receipts.ts`, ATH-3.5).
   */
  readonly receiptIn?: string
}
