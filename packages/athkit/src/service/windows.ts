import type { Mark } from '../store/store.ts'
import type { EpochRow } from './rows.ts'

/** ATH-7.9: keys older than this are refused by both sides. */
export const KEYS_LIVE_SECONDS = 86_400

/** How long a replay window is kept beyond its keys. */
const WINDOW_KEPT_SECONDS = 600

export const windowKey = (sid: string, epoch: number) => `${sid}:${epoch}`

/** Unix seconds: when nobody can use what the window guards any more. */
export const windowEndsAt = ({ createdAt }: Pick<EpochRow, 'createdAt'>): number =>
  createdAt + KEYS_LIVE_SECONDS + WINDOW_KEPT_SECONDS

/**
 * Opens an epoch's replay window in the transaction that makes the epoch: a store that may have lost writes cannot tell a window that
 * was never there from one that was lost, and would take it as raised by 2^20 (ATH-7.6).
 */
export const openWindow = (sid: string, row: Pick<EpochRow, 'epoch' | 'createdAt'>): Mark => ({
  op: 'mark',
  key: windowKey(sid, row.epoch),
  seq: -1,
  expiresAt: windowEndsAt(row),
  onRefusal: 'continue',
})
