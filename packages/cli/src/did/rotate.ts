import { keysOf, rotateKeyOperation } from 'athkit/did'
import type { Command } from 'commander'
import { run } from '../outcome.ts'
import { algorithm } from './add-key.ts'
import { controllingSigner, type NameOptions, nowSeconds, ownName, submitted, withSigning } from './own.ts'

interface RotateOptions extends NameOptions {
  readonly alg: 'ES256' | 'EdDSA'
}

export function rotateCommand(did: Command): void {
  withSigning(did.command('rotate'))
    .description('a new key in the place of the one that the vault speaks with')
    .option('--alg <alg>', 'ES256 or EdDSA', algorithm, 'ES256')
    .action((options: RotateOptions) =>
      run(
        options.json === true,
        () => rotate(options),
        ({ did, kid }) => `${did} speaks with the key ${kid} now.`,
      ),
    )
}

/** The key that will take the identity's place, until the registry has it. */
const PENDING = 'next'

/**
 * The new key is kept before it is sent, and takes the old one's place after the registry has taken it. A crash in between leaves a vault
 * that has both; the next `rotate` looks which of them counts.
 */
async function rotate(options: RotateOptions) {
  const own = await ownName(options)
  const { vault, did, signer: from, client, state, document } = own
  const to = await vault.key(PENDING, options.alg)
  const kid = to.publicKey.thumbprint
  const known = await keysOf(document, 'authentication')
  const { seq, head } = state
  const result = known.some(({ thumbprint }) => thumbprint === kid)
    ? { ok: true as const, did, seq, head }
    : await submitted(
        client,
        await rotateKeyOperation({
          state,
          from: from.publicKey,
          to,
          signers: [await controllingSigner(own, options)],
          now: nowSeconds(),
        }),
      )
  await vault.become(did, PENDING)
  return { ...result, kid, previous_kid: from.publicKey.thumbprint }
}
