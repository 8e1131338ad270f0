import { type Command, Option } from 'commander'
import { asJson } from './options.ts'
import { run } from './outcome.ts'
import { openOrMakeVault, openVault } from './vault.ts'

interface InitOptions {
  readonly alg: 'ES256' | 'EdDSA'
  readonly json?: true
}

export function initCommand(program: Command): void {
  program
    .command('init')
    .description('make an identity in the vault; the one that is there stays')
    .addOption(new Option('--alg <alg>', 'of its key').choices(['ES256', 'EdDSA']).default('ES256'))
    .addOption(asJson())
    .action(({ alg, json }: InitOptions) =>
      run(
        json === true,
        async () => ({ ok: true, did: (await (await openOrMakeVault()).identity(alg)).did }),
        didOf,
      ),
    )
}

export function didCommand(program: Command): Command {
  return program
    .command('did')
    .description('print one’s own DID')
    .addOption(asJson())
    .action(({ json }: { json?: true }) => run(json === true, ownDid, didOf))
}

const ownDid = async () => ({ ok: true, did: (await (await openVault()).identity()).did })
const didOf = ({ did }: { readonly did: string }): string => did
