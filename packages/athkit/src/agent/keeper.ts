/**
 * A session in the vault, so that another run, or another process, goes on with it. What has to be the same for all who use it changes
 * there first, in one atomic step: the numbers under a key (ATH-7.6), and the keys.
 */
import { equalBytes } from '../crypto/bytes.ts'
import { AthError, refuse } from '../errors.ts'
import type { EpochKeys } from '../session/keys.ts'
import type { Connection } from './connection.ts'
import { type KeptSession, readKept } from './kept-session.ts'
import type { Vault } from './vault.ts'

export interface Keeper {
  /**
   * Sets numbers aside under the keys of this epoch.
   *
   * @returns the first, none below `from`; undefined when none is left
   * @throws HandshakeError `session_expired` when another process has gone on to other keys; AthError `session_closed`
   */
  reserve(epoch: number, from: number, count: number): Promise<number | undefined>
  /** To be awaited before anything is sealed under the new keys. */
  rotated(keys: EpochKeys): Promise<void>
  renewed(token: string): Promise<void>
  /** What another process has made of the session; undefined where it is as this one knows it, or gone. */
  newest(connection: Connection): Promise<KeptSession | undefined>
  forget(): Promise<void>
}

const KIND = 'session'

export function createKeeper(vault: Vault, origin: string, sid: Uint8Array): Keeper {
  /** Changes the entry while it is this session's. */
  async function change(to: (before: KeptSession) => KeptSession | undefined): Promise<void> {
    await vault.update(KIND, origin, (kept) => {
      const before = readKept(kept)
      if (before === undefined || !equalBytes(before.sid, sid)) return kept
      return to(before)
    })
  }

  return {
    async reserve(epoch, from, count) {
      let first: number | undefined
      let isOurs = false
      let isCurrent = false
      await change((before) => {
        isOurs = true
        isCurrent = before.keys.epoch === epoch
        if (!isCurrent) return before
        first = Math.max(before.nextSeq, from)
        return { ...before, nextSeq: first + count }
      })
      if (!isOurs && (await findSession(vault, origin)) === undefined)
        throw new AthError('session_closed', 'the session was closed by another process')
      if (!isCurrent) throw refuse('session_expired', 'another process has changed the keys')
      return first !== undefined && Number.isSafeInteger(first + count) ? first : undefined
    },
    rotated: (keys) =>
      change((before) => (keys.epoch > before.keys.epoch ? { ...before, keys, nextSeq: 0 } : before)),
    renewed: (token) => change((before) => ({ ...before, token })),
    async newest(connection) {
      const kept = await findSession(vault, origin)
      if (kept === undefined) return undefined
      const isKnown = equalBytes(kept.sid, sid) && kept.keys.epoch <= connection.epoch.keys.epoch
      return isKnown ? undefined : kept
    },
    forget: () => change(() => undefined),
  }
}

/** @returns undefined where none is kept */
export const findSession = async (vault: Vault, origin: string): Promise<KeptSession | undefined> =>
  readKept((await vault.entries(KIND)).get(origin))

/**
 * Puts a session in the vault, in the place of one that was kept for this origin before.
 *
 * @returns the one before; nobody sets numbers aside for it any more
 */
export async function keepSession(vault: Vault, session: KeptSession): Promise<KeptSession | undefined> {
  let before: KeptSession | undefined
  await vault.update(KIND, session.audience, (kept) => {
    before = readKept(kept)
    return session
  })
  return before
}
