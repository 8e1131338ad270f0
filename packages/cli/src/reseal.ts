import type { SealedStore } from 'athkit/store/sealed'
import type { Command } from 'commander'
import { run } from './outcome.ts'
import { onStore, type StoreOptions, storeOf } from './store-options.ts'
import { Usage } from './trouble.ts'

interface ResealOptions extends StoreOptions {
  readonly json?: true
}

/** Another key at rest: everything is sealed anew, while the service goes on. */
export function resealCommand(program: Command): void {
  onStore(program.command('reseal'))
    .description('encrypt a store at rest anew, under the first key given')
    .action((options: ResealOptions) => run(options.json === true, () => reseal(options), inWords))
}

async function reseal(options: ResealOptions) {
  if ((options.storeKey ?? []).length < 2) {
    throw new Usage('--store-key names the new key’s file, and behind it those of all former ones')
  }
  const { store, close } = await storeOf(options)
  try {
    const done = await (store as SealedStore).reseal(Math.floor(Date.now() / 1000))
    return { ok: true, ...done }
  } finally {
    await close()
  }
}

const inWords = ({ rows, outbox }: { readonly rows: number; readonly outbox: number }): string =>
  `Sealed anew: ${rows} rows.${outbox === 0 ? '' : ` Of audit entries, ${outbox} wait to be chained under a former key: keep it until they were.`}`
