import { hash } from '../../crypto/jcs.ts'
import type { Store } from '../../store/store.ts'
import type { LinkedUsers } from '../options.ts'
import { LONGEST_DID } from '../parties.ts'
import { userPartition } from '../rows.ts'

/**
 * Which account a user DID belongs to, kept in any store of the contract (ATH-4.7). The row beside the user's own says it, so that a DID
 * has one account at most, whoever links it meanwhile; what an account lists is a way back to those rows, and counts for nothing else.
 *
 * @param clock Unix milliseconds
 */
export function storedUsers(store: Store, clock: () => number = Date.now): LinkedUsers {
  const now = () => Math.floor(clock() / 1000)
  const accountPartition = async (account: string) => `account:${await hash(account)}`
  const isTooLong = (userDid: string) => userDid.length > LONGEST_DID

  async function read(userDid: string) {
    if (isTooLong(userDid)) return undefined
    const { results } = await store.transact(userPartition(userDid), [{ op: 'get', key: KEY }], now())
    return results[0]
  }

  async function list(account: string, userDid: string, op: 'put' | 'delete'): Promise<void> {
    const row =
      op === 'put'
        ? ({ op, key: LISTED + userDid, value: '' } as const)
        : ({ op, key: LISTED + userDid } as const)
    await store.transact(await accountPartition(account), [row], now())
  }

  return {
    async find(userDid) {
      const row = await read(userDid)
      return row && { account: row.value }
    },

    async link(userDid, account) {
      if (isTooLong(userDid)) throw new TypeError(`a user DID has at most ${LONGEST_DID} characters`)
      // Listed first: one that stands in the list alone is nothing, one that is linked and not listed could not be unlinked.
      await list(account, userDid, 'put')
      for (;;) {
        const row = await read(userDid)
        if (row?.value === account) return account
        const put = { op: 'put', key: KEY, value: account, if: row?.version ?? 'absent' } as const
        const { outcome } = await store.transact(userPartition(userDid), [put], now())
        if (outcome !== 'done') continue
        if (row !== undefined) await list(row.value, userDid, 'delete')
        return row?.value
      }
    },

    async unlink(userDid, account) {
      const row = await read(userDid)
      if (row?.value !== account) return false
      const remove = { op: 'delete', key: KEY, if: row.version } as const
      const { outcome } = await store.transact(userPartition(userDid), [remove], now())
      if (outcome === 'done') await list(account, userDid, 'delete')
      return outcome === 'done'
    },

    async linked(account) {
      const listed = [{ op: 'list', prefix: LISTED, limit: MOST_LISTED }] as const
      const { results } = await store.transact(await accountPartition(account), listed, now())
      const dids = (results[0] ?? []).map(({ key }) => key.slice(LISTED.length))
      const rows = await Promise.all(dids.map(read))
      return dids.filter((_, at) => rows[at]?.value === account)
    },
  }
}

const KEY = 'account'
const LISTED = 'did:'
const MOST_LISTED = 1000
