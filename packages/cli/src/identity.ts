import type { Command } from 'commander'
import { run } from './outcome.ts'
import { openVault } from './vault.ts'

interface InitOptions {
  readonly alg: 'ES256' | 'EdDSA'
  readonly json?: true
}

export function identityCommands(program: Command): void {
  program
    .command('init')
    .description('make an identity in the vault; the one that is there stays')
    .option('--alg <alg>', 'ES256 or EdDSA', 'ES256')
    .option('--json')
    .action(({ alg, json }: InitOptions) =>
      run(json === true, async () => {
        if (alg !== 'ES256' && alg !== 'EdDSA') throw new TypeError('--alg is ES256 or EdDSA')
        const { did } = await (await openVault()).identity(alg)
        return json ? { ok: true, did } : did
      }),
    )
}

/** Beside the commands about named DIDs, `ath did` alone says one's own. */
export async function ownDid(isJson: boolean): Promise<object | string> {
  const { did } = await (await openVault()).identity()
  return isJson ? { ok: true, did } : did
}
