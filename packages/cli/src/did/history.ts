import { refuse } from 'athkit/errors'
import type { Command } from 'commander'
import { didIn } from '../arguments.ts'
import { writeText } from '../files.ts'
import { run } from '../outcome.ts'
import { registryAt } from '../registry-place.ts'
import { vaultAtHand } from '../vault.ts'
import { withRegistryOptions } from './own.ts'

interface HistoryOptions {
  readonly registry?: string
  readonly ca?: string
  readonly out: string
  readonly json?: true
}

export function historyCommand(did: Command): void {
  withRegistryOptions(did.command('history <did>'))
    .description('write down every operation of a named DID, verified')
    .requiredOption('--out <file>', 'where')
    .action((text: string, options: HistoryOptions) =>
      run(
        options.json === true,
        () => history(didIn(text), options),
        ({ operations, out }) =>
          `${operations} operations in ${out}: ath did verify ${out} needs nobody to verify them.`,
      ),
    )
}

async function history(did: string, options: HistoryOptions) {
  const { client } = await registryAt(await vaultAtHand(), options)
  const found = await client.history(did)
  if (found === undefined) throw refuse('identity_unknown', `${did} is not registered there`)
  const { operations, state } = found
  writeText(options.out, `${JSON.stringify({ operations }, null, 2)}\n`)
  return { ok: true, did, operations: operations.length, seq: state.seq, head: state.head, out: options.out }
}
