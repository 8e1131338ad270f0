import { isObject } from '../crypto/shape.ts'
import { type Pin, type Pins, samePin } from '../did/pins.ts'
import type { Kept, Vault } from './vault.ts'

/** What was seen of the histories of named DIDs, kept in a vault: a registry that rewrites one is found out in the next run too (ATH-4.6). */
export function vaultPins(vault: Vault): Pins {
  return {
    get: async (did) => pinIn((await vault.entries('pin')).get(did)),
    async advance(did, from, to) {
      let isMoved = false
      await vault.update('pin', did, (before) => {
        isMoved = samePin(pinIn(before), from)
        return isMoved ? { seq: to.seq, head: to.head } : before
      })
      return isMoved
    },
  }
}

const pinIn = (kept: Kept | undefined): Pin | undefined =>
  isObject(kept) ? ({ seq: kept.seq, head: kept.head } as Pin) : undefined
