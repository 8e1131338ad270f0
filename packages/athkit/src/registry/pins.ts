import { type Pin, type Pins, samePin } from '../did/pins.ts'
import type { Store } from '../store/store.ts'

/** Pins in any store of the contract: a registry that rewrites a history is found out after a restart too, and by every node. */
export function storePins(store: Store, clock: () => number = Date.now): Pins {
  const now = () => Math.floor(clock() / 1000)
  const read = async (did: string) => {
    const { results } = await store.transact(`pin:${did}`, [{ op: 'get', key: 'pin' }], now())
    const row = results[0]
    return row && { pin: JSON.parse(row.value) as Pin, version: row.version }
  }
  return {
    get: async (did) => (await read(did))?.pin,
    async advance(did, from, { seq, head }) {
      const found = await read(did)
      if (!samePin(found?.pin, from)) return false
      const value = JSON.stringify({ seq, head })
      const put = { op: 'put', key: 'pin', value, if: found?.version ?? 'absent' } as const
      return (await store.transact(`pin:${did}`, [put], now())).outcome === 'done'
    },
  }
}
