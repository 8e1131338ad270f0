import type { JsonObject } from '../crypto/json.ts'

/** What an entry can be about (ATH-10), and what an operator will want to find beside it. */
export type AuditEvent =
  | 'handshake started'
  | 'identity proven'
  | 'identity refused'
  | 'handshake refused'
  | 'confirmation sent'
  | 'confirmation skipped'
  | 'confirmation lapsed'
  | 'answered'
  | 'scopes decided'
  | 'token issued'
  | 'renewed'
  | 'keys rotated'
  | 'session ended'
  | 'sealed request refused'
  | 'restriction violated'
  | 'revoked'
  | 'agent changed'
  | 'budget given back'
  | 'policy reloaded'
  | 'user linked'
  | 'user unlinked'
  | 'DID operation'
  | 'default weakened'

/** What happened, as it is told to the audit: no token, no key, no credential is ever part of it. */
export interface AuditFact {
  readonly event: AuditEvent
  /** Unix seconds. */
  readonly timestamp: number
  readonly client_did?: string | undefined
  readonly user_did?: string | undefined
  readonly grant_id?: string | undefined
  readonly handshake_id?: string | undefined
  readonly detail: JsonObject
}

/** The facts of one transaction, in the outbox of its partition: durable with it, and without their places in the chain yet. */
export interface AuditRecord {
  /** Who wrote it, and in whose chain it has its place. */
  readonly process: string
  readonly facts: readonly AuditFact[]
}

/** The id that the entry of a record's fact will have. @param at of the fact in its record */
export const entryId = (recordId: string, at: number): string => (at === 0 ? recordId : `${recordId}.${at}`)

/** A link of a process's chain. */
export interface AuditEntry extends AuditFact {
  readonly id: string
  readonly process: string
  readonly seq: number
  readonly hash: string
}

/** The end of a chain at a time, signed by the service (label `audit_head`). `seq` and `hash` are those of the last entry then. */
export interface AuditHead extends JsonObject {
  readonly type: 'audit_head'
  readonly process: string
  readonly seq: number
  readonly hash: string
  readonly timestamp: number
  readonly signature: string
}

/** Names of processes are parts of partitions and keys. */
export const PROCESS_NAME = /^[A-Za-z0-9_-]{1,64}$/
