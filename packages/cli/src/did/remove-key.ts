import type { PublicKey } from 'athkit/crypto'
import { keysOf, RELATIONSHIPS, removeKeyOperation } from 'athkit/did'
import type { Command } from 'commander'
import { run } from '../outcome.ts'
import { Usage } from '../trouble.ts'
import {
  controllingSigner,
  type NameOptions,
  nowSeconds,
  type Own,
  ownName,
  submitted,
  withSigning,
} from './own.ts'

interface RemoveKeyOptions extends NameOptions {
  readonly kid?: string
}

export function removeKeyCommand(did: Command): void {
  withSigning(did.command('remove-key [kid]'))
    .description('take a key from the vault’s name; without KID, the one that it has beside the identity’s')
    .option('--kid <kid>', 'the same as KID')
    .action((kid: string | undefined, options: RemoveKeyOptions) =>
      run(
        options.json === true,
        () => removeKey(kid ?? options.kid, options),
        ({ did, kid }) => `${did} has the key ${kid} no more.`,
      ),
    )
}

async function removeKey(wanted: string | undefined, options: RemoveKeyOptions) {
  const own = await ownName(options)
  const key = await keyOf(own, wanted)
  const kid = key.thumbprint
  const { vault, client, state, signer } = own
  if (kid === signer.publicKey.thumbprint) {
    throw new Usage(`${kid} is what this vault speaks with: ath did rotate exchanges it`)
  }
  const signers = [await controllingSigner(own, options)]
  const result = await submitted(client, await removeKeyOperation({ state, key, signers, now: nowSeconds() }))
  if ((await vault.keys()).has(kid)) await vault.rename(kid, undefined)
  return { ...result, kid }
}

/** By its thumbprint, or by the end of its id in the document. */
async function keyOf({ document, signer }: Own, wanted: string | undefined): Promise<PublicKey> {
  const lists = await Promise.all(RELATIONSHIPS.map((name) => keysOf(document, name)))
  const keys = [...new Map(lists.flat().map((key) => [key.thumbprint, key])).values()]
  const others = keys.filter(({ thumbprint }) => thumbprint !== signer.publicKey.thumbprint)
  const kids = others.map(({ thumbprint }) => thumbprint).join(', ')
  if (wanted === undefined && others.length === 1) return others[0] as PublicKey
  if (wanted === undefined) throw new Usage(kids === '' ? 'there is no other key' : `which of them? ${kids}`)
  const found = keys.find(({ thumbprint }) => thumbprint === wanted)
  if (found !== undefined) return found
  throw new Usage(
    `the document has no key ${wanted}; beside the vault’s it has ${kids === '' ? 'none' : kids}`,
  )
}
