import type { CipherSuite } from '../../crypto/algorithms.ts'
import { fromBase64url } from '../../crypto/bytes.ts'
import { refuse } from '../../errors.ts'
import type { EpochKeys } from '../../session/keys.ts'
import type { Row } from '../../store/store.ts'
import type { AccessTokenClaims } from '../../token/access-token.ts'
import type { ServiceContext } from '../context.ts'
import { grantKey } from '../revocation/end-grant.ts'
import { pointerTo } from '../revocation/index-rows.ts'
import type { EpochRow, GrantRow, SessionRow } from '../rows.ts'
import { KEYS_LIVE_SECONDS, windowKey } from '../windows.ts'
import { nodeState } from './state.ts'

/** A session as this process knows it: parsed rows, keys, tokens whose signature was checked. */
export interface KnownSession {
  readonly sid: string
  /** Of the pair. */
  readonly partition: string
  readonly sessionKey: string
  readonly grantKey: string
  session: SessionRow
  grant: GrantRow
  /** Of the rows that were parsed. */
  sessionVersion: number
  grantVersion: number
  readonly epochs: Map<number, KnownEpoch>
  /** By the token itself; a session has one or two at a time. */
  readonly tokens: Map<string, AccessTokenClaims>
  /** Unix seconds: the last use that was written down. */
  usedAt: number
}

export interface KnownEpoch {
  readonly row: EpochRow
  readonly keys: EpochKeys
  readonly windowKey: string
}

/** Sessions that a process remembers; a look-up costs two round trips, once. */
const MOST_SESSIONS = 10_000

export const sessionKey = (sid: string) => `session:${sid}`

export interface FoundKeys {
  readonly known: KnownSession
  readonly epoch: KnownEpoch
}

/**
 * The keys for a header, from this process's memory or the store.
 *
 * @param sid base64url
 * @throws HandshakeError `session_unknown`, `session_expired`: outer ones, for nothing has been opened (ATH-7.11)
 */
export async function findKeys(context: ServiceContext, sid: string, epoch: number): Promise<FoundKeys> {
  const { sessions } = nodeState(context)
  let known = sessions.get(sid)
  // An epoch that is not known here may have been made on another node.
  if (known === undefined || !known.epochs.has(epoch)) known = await lookUp(context, sid, known?.partition)
  else touch(sessions, known)
  const found = known.epochs.get(epoch)
  const now = context.now()
  if (found === undefined || isRetired(found.row, now)) throw expired('the epoch is unknown, or has retired')
  if (found.row.createdAt + KEYS_LIVE_SECONDS <= now) throw expired('the keys are older than 86400 s')
  return { known, epoch: found }
}

const isRetired = ({ retiresAt }: EpochRow, now: number) => retiresAt !== undefined && retiresAt <= now

function touch(sessions: Map<string, KnownSession>, known: KnownSession): void {
  if (sessions.size < MOST_SESSIONS / 2) return
  sessions.delete(known.sid)
  sessions.set(known.sid, known)
}

async function lookUp(context: ServiceContext, sid: string, cached?: string): Promise<KnownSession> {
  const partition = cached ?? (await pointerTo(context, sid))?.partition
  if (partition === undefined) throw unknown()
  const { results } = await context.store.transact(
    partition,
    [
      { op: 'get', key: sessionKey(sid) },
      { op: 'get', key: grantKey(sid) },
    ],
    context.now(),
  )
  const [session, grant] = results
  if (session === undefined || grant === undefined) {
    forget(context, sid)
    throw unknown()
  }
  return remember(context, partition, session, grant)
}

function remember(context: ServiceContext, partition: string, session: Row, grant: Row): KnownSession {
  const { sessions } = nodeState(context)
  const row = JSON.parse(session.value) as SessionRow
  const grantRow = JSON.parse(grant.value) as GrantRow
  const old = sessions.get(row.sid)
  const known: KnownSession = old ?? {
    sid: row.sid,
    partition,
    sessionKey: sessionKey(row.sid),
    grantKey: grantKey(grantRow.id),
    session: row,
    grant: grantRow,
    sessionVersion: -1,
    grantVersion: -1,
    epochs: new Map(),
    tokens: new Map(),
    usedAt: 0,
  }
  refresh(known, session, grant)
  if (old === undefined && sessions.size >= MOST_SESSIONS) {
    sessions.delete(sessions.keys().next().value as string)
  }
  sessions.set(row.sid, known)
  return known
}

/** Takes over what the store says, where it is another version than the one that was parsed. */
export function refresh(known: KnownSession, session: Row, grant: Row | undefined): void {
  if (session.version !== known.sessionVersion) {
    known.session = JSON.parse(session.value) as SessionRow
    known.sessionVersion = session.version
    importEpochs(known)
  }
  if (grant !== undefined && grant.version !== known.grantVersion) {
    known.grant = JSON.parse(grant.value) as GrantRow
    known.grantVersion = grant.version
  }
}

function importEpochs({ session, epochs, sid }: KnownSession): void {
  for (const epoch of [...epochs.keys()]) {
    if (!session.epochs.some((row) => row.epoch === epoch)) epochs.delete(epoch)
  }
  for (const row of session.epochs) {
    const keys = epochs.get(row.epoch)?.keys ?? keysOfRow(row, session.cipher as CipherSuite)
    epochs.set(row.epoch, { row, keys, windowKey: windowKey(sid, row.epoch) })
  }
}

export const keysOfRow = (row: EpochRow, cipher: CipherSuite): EpochKeys => ({
  epoch: row.epoch,
  cipher,
  c2s: fromBase64url(row.c2s, 32),
  s2c: fromBase64url(row.s2c, 32),
  rekey: fromBase64url(row.rekey, 32),
  createdAt: row.createdAt,
})

export const forget = (context: ServiceContext, sid: string): boolean =>
  nodeState(context).sessions.delete(sid)

export const unknown = () => refuse('session_unknown', 'no such session', { rule: 'ATH-7.11' })
const expired = (reason: string) => refuse('session_expired', reason, { rule: 'ATH-7.11' })
