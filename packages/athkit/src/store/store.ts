/**
 * The store contract: one primitive.
 *
 * `transact` runs conditional operations, in order, on rows under ONE partition key: all or nothing, durable when it returns, in
 * one round trip. Every question of the form "was this used before?" is such an operation, never a find followed by a save.
 *
 * Race rules, which every adapter must keep across processes: of any number of callers that `take` one row, exactly one receives
 * it; of any number that `put` one key `if: 'absent'`, exactly one stores; of any number that `mark` one sequence number, exactly
 * one is told it is fresh (ATH-7.6); `count` never admits more than its limits in any window (ATH-6.4.3).
 */
export interface Store {
  /**
   * @param partition any non-empty string of at most 512 UTF-16 code units; rows of two partitions are never touched together. Neither
   *   it nor a key, an id or a value may hold U+0000 or a lone surrogate: PostgreSQL has no such text, SQLite's drivers cut it off
   * @param operations run in order; see {@link OnRefusal} for what a condition that does not hold does
   * @param now Unix seconds: rows whose `expiresAt` is at or before it are absent
   * @throws AthError `store_unavailable` when the outcome is not known to be durable. It may then have happened, or not.
   */
  transact<const Ops extends readonly Operation[]>(
    partition: string,
    operations: Ops,
    now: number,
  ): Promise<Outcome<{ readonly [I in keyof Ops]: ResultOf<Ops[I]> }>>
  /**
   * What was appended in any partition, by any process, and not dropped since: in each partition in the order it was appended. What
   * is appended or dropped meanwhile comes or does not; an entry may come twice. It may have to look at every partition, so it is for
   * start-up and for now and then, never for a request: a process remembers itself what it appended.
   *
   * @throws AthError `store_unavailable` while it is read
   */
  outbox(): AsyncIterable<OutboxEntry>
  /**
   * Every row, for what has to go through all of them, such as a new key at rest; never for a request. Rows that come, change or go
   * meanwhile are met or not, expired ones too; one may come twice.
   *
   * @throws AthError `store_unavailable` while it is read
   */
  rows(): AsyncIterable<StoredRow>
  /** Deletes rows that have expired, at most `limit` of them; resolves to how many. Nothing depends on it for correctness. */
  sweep(now: number, limit: number): Promise<number>
  /** Waits for what is under way and lets go of files and connections. Calls after it fail with `store_unavailable`. */
  close(): Promise<void>
}

export interface Row {
  /** Opaque text. What must be secret at rest is encrypted before it comes here. */
  readonly value: string
  /** A number that is never the same for two states of one key; what `if` of a later `put` may name. */
  readonly version: number
}

export interface StoredRow extends Row {
  readonly partition: string
  readonly key: string
  readonly expiresAt?: number
}

/**
 * What a condition that does not hold does to the transaction:
 * - `abort` (the default): nothing of the transaction takes effect;
 * - `stop`: what stands before it takes effect, it and what follows does not;
 * - `continue`: it alone takes no effect.
 */
export type OnRefusal = 'abort' | 'stop' | 'continue'

export type Operation = Get | List | Put | Delete | Take | Mark | Count | Append | Drop

/** Reads a row. Its condition, where it has one, is that the row is there (`present`) or not (`absent`). */
export interface Get {
  readonly op: 'get'
  readonly key: string
  readonly if?: 'present' | 'absent'
  readonly onRefusal?: OnRefusal
}

/** Reads the rows whose keys begin with `prefix`, in the order of their keys' UTF-8 bytes, at most `limit` (1 to 1000). */
export interface List {
  readonly op: 'list'
  readonly prefix: string
  readonly limit: number
}

/** Writes a row: always, if it is absent, or if it still has this version. `expiresAt` in Unix seconds; without it, it stays. */
export interface Put {
  readonly op: 'put'
  readonly key: string
  readonly value: string
  readonly if?: 'absent' | number
  readonly expiresAt?: number
  readonly onRefusal?: OnRefusal
}

/** Removes a row if it is there; with `if`, only in this version (a row that is absent then refuses). */
export interface Delete {
  readonly op: 'delete'
  readonly key: string
  readonly if?: number
  readonly onRefusal?: OnRefusal
}

/** Reads and removes a row that must be there. Exactly one caller receives it. */
export interface Take {
  readonly op: 'take'
  readonly key: string
  readonly onRefusal?: OnRefusal
}

/**
 * Marks `seq` in the replay window `key` (ATH-7.6): fresh when it lies above the highest marked, or not more than 1023 below it
 * and was not marked yet. `seq` is an integer from 0 to 2^53−1. A window and a row may share a key; they do not meet.
 *
 * −1 opens a window in which nothing is marked. A store that may have lost writes raises every window by 2^20 before its next mark;
 * one that is absent then counts as empty and is raised too, unless everything in its partition was written since.
 */
export interface Mark {
  readonly op: 'mark'
  readonly key: string
  readonly seq: number
  readonly expiresAt?: number
  readonly onRefusal?: OnRefusal
}

/**
 * Counts one event against sliding windows (ATH-6.4.3): admitted, and counted, only when every limit admits it; in buckets if
 * these never admit more than an exact sliding window would.
 */
export interface Count {
  readonly op: 'count'
  readonly key: string
  readonly limits: readonly RateLimit[]
  /** Unix milliseconds of the event. */
  readonly nowMs: number
  readonly onRefusal?: OnRefusal
}

/**
 * Puts an entry into the partition's outbox: something that happened, durable with the transaction that made it happen, until
 * somebody has taken it where it belongs and drops it (ATH-10). Never refuses, never expires. An id that is there already stays as
 * it is, so a transaction whose outcome was unknown may be run again.
 */
export interface Append {
  readonly op: 'append'
  /** Non-empty, unique within the partition. Outbox entries and rows do not meet. */
  readonly id: string
  readonly value: string
}

/** Removes entries from the partition's outbox. Never refuses: those that are not there were dropped before. */
export interface Drop {
  readonly op: 'drop'
  readonly ids: readonly string[]
}

export interface OutboxEntry {
  readonly partition: string
  readonly id: string
  readonly value: string
}

export interface RateLimit {
  /** How many events in the window; a positive integer. */
  readonly limit: number
  readonly windowSeconds: number
}

export interface MarkResult {
  readonly fresh: boolean
  /** The lowest number above every marked one, absent when 2^53−1 itself is marked. */
  readonly nextSeq?: number
}

export interface CountResult {
  readonly admitted: boolean
  /** Whole seconds, at least 1, until the event could be admitted; 0 when it was. */
  readonly retryAfter: number
}

export interface PutResult {
  readonly stored: boolean
  /** The row as it stands after the operation: the one written, or the one that refused it. */
  readonly row: Row | undefined
}

export type ResultOf<O> = O extends Get
  ? Row | undefined
  : O extends List
    ? readonly (Row & { readonly key: string })[]
    : O extends Put
      ? PutResult
      : O extends Delete
        ? { readonly deleted: boolean }
        : O extends Take
          ? Row | undefined
          : O extends Mark
            ? MarkResult
            : O extends Count
              ? CountResult
              : O extends Append | Drop
                ? undefined
                : never

/**
 * `done`: no operation refused with `abort` or `stop`. Otherwise `at` is the index of the one that did, and `results` holds what
 * every operation up to and including it answered (undefined behind it).
 */
export type Outcome<Results> =
  | { readonly outcome: 'done'; readonly results: Results }
  | {
      readonly outcome: 'aborted' | 'stopped'
      readonly at: number
      readonly results: { readonly [I in keyof Results]: Results[I] | undefined }
    }
