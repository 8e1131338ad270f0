import { addKeyOperation, keysOf, RELATIONSHIPS, type Relationship } from 'athkit/did'
import type { Command } from 'commander'
import { list } from '../arguments.ts'
import { run } from '../outcome.ts'
import { Usage } from '../trouble.ts'
import { keyFileOrNew } from './key-file.ts'
import { controllingSigner, type NameOptions, nowSeconds, ownName, submitted, withSigning } from './own.ts'

interface AddKeyOptions extends NameOptions {
  readonly for: readonly Relationship[]
  readonly key?: string
  readonly alg: 'ES256' | 'EdDSA'
}

export function addKeyCommand(did: Command): void {
  withSigning(did.command('add-key'))
    .description('another key for the vault’s name, kept in the vault')
    .option('--for <a,b>', `what it may do: ${RELATIONSHIPS.join(', ')}`, relationships, [
      'authentication',
      'assertionMethod',
    ])
    .option('--key <file>', 'kept in this file instead, PEM; made there where there is none')
    .option('--alg <alg>', 'ES256 or EdDSA', algorithm, 'ES256')
    .action((options: AddKeyOptions) =>
      run(
        options.json === true,
        () => addKey(options),
        ({ did, kid }) => `${did} has the key ${kid}.`,
      ),
    )
}

/** Kept under this name until the registry has it. */
const PENDING = 'added'

async function addKey(options: AddKeyOptions) {
  const own = await ownName(options)
  const { vault, client, state, document } = own
  // Kept before it is sent: a key that was registered and lost could never be used, nor taken for another's.
  const key =
    options.key === undefined ? await vault.key(PENDING, options.alg) : await keyFileOrNew(options.key)
  const kid = key.publicKey.thumbprint
  const lists = await Promise.all(options.for.map((name) => keysOf(document, name)))
  const isThere = lists.every((keys) => keys.some(({ thumbprint }) => thumbprint === kid))
  const { did, seq, head } = state
  const result = isThere
    ? { ok: true as const, did, seq, head }
    : await submitted(
        client,
        await addKeyOperation({
          state,
          key,
          relationships: options.for,
          signers: [await controllingSigner(own, options)],
          now: nowSeconds(),
        }),
      )
  if (options.key === undefined) await vault.rename(PENDING, kid)
  return { ...result, kid }
}

function relationships(text: string): readonly Relationship[] {
  const names = list(text) as Relationship[]
  if (names.length > 0 && names.every((name) => RELATIONSHIPS.includes(name))) return names
  throw new Usage(`${text}: one or more of ${RELATIONSHIPS.join(', ')}, separated by commas`)
}

export function algorithm(text: string): 'ES256' | 'EdDSA' {
  if (text === 'ES256' || text === 'EdDSA') return text
  throw new Usage('--alg is ES256 or EdDSA')
}
