import type { Database } from './sqlite-driver.ts'

/** How many are taken from the file at a time. A process that ends leaves the rest of its block unused, and 2^53 has room for that. */
const BLOCK = 1000

/**
 * Versions that no state of any key ever had, in whatever process. They are taken from the file by the block, within a write transaction,
 * and given out from memory after that.
 */
export interface Versions {
  next(): number
  /**
   * Gives no more out of the block at hand. To be called after every rollback: it may have undone the block's reservation, and then
   * another process is given the same block.
   */
  drop(): void
}

export function versionsOf(database: Database): Versions {
  const reserve = database.prepare(`UPDATE versions SET last = last + ${BLOCK} RETURNING last`)
  let given = 0
  let last = 0
  return {
    next() {
      if (given === last) {
        last = (reserve.get([]) as { last: number }).last
        given = last - BLOCK
      }
      return ++given
    },
    drop() {
      given = last
    },
  }
}
