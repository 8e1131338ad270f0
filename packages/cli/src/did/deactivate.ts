import { confirm } from '@clack/prompts'
import { deactivateOperation } from 'athkit/did'
import type { Command } from 'commander'
import { run } from '../outcome.ts'
import { Interrupted } from '../trouble.ts'
import { controllingSigner, type NameOptions, nowSeconds, ownName, submitted, withSigning } from './own.ts'

interface DeactivateOptions extends NameOptions {
  readonly yes?: true
}

export function deactivateCommand(did: Command): void {
  withSigning(did.command('deactivate'))
    .description('end the vault’s name for ever: nobody can have it again')
    .option('--yes', 'without asking')
    .action((options: DeactivateOptions) =>
      run(
        options.json === true,
        () => deactivate(options),
        ({ did }) => `${did} is deactivated.`,
      ),
    )
}

async function deactivate(options: DeactivateOptions) {
  const own = await ownName(options)
  const signers = [await controllingSigner(own, options)]
  if (process.stdin.isTTY === true && options.yes !== true) {
    const isMeant = await confirm({
      message: `End ${own.did} for ever?`,
      initialValue: false,
      output: process.stderr,
    })
    if (isMeant !== true) throw new Interrupted('SIGINT')
  }
  const operation = await deactivateOperation({ state: own.state, signers, now: nowSeconds() })
  return { ...(await submitted(own.client, operation)), deactivated: true }
}
