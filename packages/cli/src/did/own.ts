import type { Signer } from 'athkit/crypto'
import { type DidDocument, type DidOperation, type DidState, keysOf, parseDid } from 'athkit/did'
import { refuse } from 'athkit/errors'
import type { RegistryClient } from 'athkit/registry'
import type { FileVault } from 'athkit/vault-node'
import { type Command, Option } from 'commander'
import { registryIn } from '../arguments.ts'
import { asJson } from '../options.ts'
import { registryAt } from '../registry-place.ts'
import { Usage } from '../trouble.ts'
import { openVault } from '../vault.ts'
import { keyFile } from './key-file.ts'

/** What every command about a name in a registry is told. */
export interface NameOptions {
  readonly registry?: string
  readonly ca?: string
  readonly signWith?: string
  readonly json?: true
}

export const withRegistryOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--registry <url>', 'where; without it, where the vault’s name is registered').argParser(
        registryIn,
      ),
    )
    .option('--ca <file>', 'certificates of the authorities to trust for it, PEM')
    .addOption(asJson())

export const withSigning = (command: Command): Command =>
  withRegistryOptions(command).option(
    '--sign-with <file>',
    'a controlling key that is kept outside the vault, PEM',
  )

/** The vault's name as it stands in its registry now. */
export interface Own {
  readonly vault: FileVault
  readonly did: string
  readonly signer: Signer
  readonly client: RegistryClient
  readonly state: DidState
  readonly document: DidDocument
}

export async function ownName(options: NameOptions): Promise<Own> {
  const vault = await openVault()
  const { did, signer } = await vault.identity()
  if (parseDid(did).form !== 'named')
    throw new Usage(`${did} has no name: ath did register NAME gives it one`)
  const { client } = await registryAt(vault, options)
  const state = await client.state(did)
  if (state === undefined) throw refuse('identity_unknown', `${did} is not registered there`)
  if (state.document === null) throw refuse('identity_revoked', `${did} is deactivated: nothing follows`)
  return { vault, did, signer, client, state, document: state.document }
}

/**
 * Who signs for the change: a key that controls the DID, of the vault or in the file that was given.
 *
 * @throws Usage where none of them does
 */
export async function controllingSigner(own: Own, { signWith }: NameOptions): Promise<Signer> {
  const outside = signWith === undefined ? [] : [await keyFile(signWith)]
  const controlling = await keysOf(own.document, 'capabilityInvocation')
  const candidates = [...outside, own.signer, ...(await own.vault.keys()).values()]
  const found = candidates.find(({ publicKey }) =>
    controlling.some(({ thumbprint }) => thumbprint === publicKey.thumbprint),
  )
  if (found !== undefined) return found
  throw new Usage(`no key here controls ${own.did}: give the file of one that does, with --sign-with`)
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000)

/** What each command reports of the operation that was taken. */
export async function submitted(client: RegistryClient, operation: DidOperation) {
  const { seq, head } = await client.submit(operation)
  return { ok: true as const, did: operation.did, seq, head }
}
