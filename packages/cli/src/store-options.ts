import { existsSync } from 'node:fs'
import type { Store } from 'athkit/store'
import { type Command, Option } from 'commander'
import { asJson } from './options.ts'
import { type OpenedStore, openStore } from './store/index.ts'
import { Usage } from './trouble.ts'

/** Of commands that the operator of a service gives, on its own database. */
export interface StoreOptions {
  readonly store?: string
  readonly storeKey?: readonly string[]
}

export const onStore = (command: Command): Command =>
  command
    .addOption(
      new Option('--store <url>', 'the service’s store: sqlite:FILE, postgres://…, redis://…').env(
        'ATH_STORE',
      ),
    )
    .option(
      '--store-key <file...>',
      'where it is encrypted at rest: the file of its key, then of former ones',
    )
    .addOption(asJson())

/** @throws Usage for a store or a key that is not there, or not given: one that is misspelt would be made, and hold nothing */
export async function storeOf({ store: url, storeKey = [] }: StoreOptions): Promise<OpenedStore> {
  if (url === undefined)
    throw new Usage('--store says where the service keeps its state: --store sqlite:ath.db')
  const database = url.startsWith('sqlite:') ? [url.slice('sqlite:'.length)] : []
  const missing = [...database, ...storeKey].find((file) => !existsSync(file))
  if (missing !== undefined) throw new Usage(`there is no ${missing}: give the service’s own`)
  const opened = await openStore(url, storeKey)
  if (storeKey.length > 0 || !(await isEncrypted(opened.store))) return opened
  await opened.close()
  throw new Usage('this store is encrypted at rest: give the file of its key with --store-key')
}

/** What is written without the key, the service would not read; so nothing is. */
async function isEncrypted(store: Store): Promise<boolean> {
  for await (const { value } of store.rows()) return value.startsWith('sealed:')
  return false
}
