import type { Signer } from 'athkit/crypto'
import { type DidState, keysOf, namedDocument, parseDid, registerOperation } from 'athkit/did'
import { HandshakeError, refuse } from 'athkit/errors'
import type { RegistryClient } from 'athkit/registry'
import type { Command } from 'commander'
import { originIn } from '../arguments.ts'
import { run } from '../outcome.ts'
import { registryAt, rememberPlace } from '../registry-place.ts'
import { Usage } from '../trouble.ts'
import { openOrMakeVault } from '../vault.ts'
import { keyFileOrNew } from './key-file.ts'
import { nowSeconds, submitted, withRegistryOptions } from './own.ts'

interface RegisterOptions {
  readonly registry?: string
  readonly ca?: string
  readonly controller?: string
  readonly origin?: string
  readonly json?: true
}

export function registerCommand(did: Command): void {
  withRegistryOptions(did.command('register <name>'))
    .description('give the vault’s identity a name in a registry: did:ath:NAME')
    .option(
      '--controller <file>',
      'the key that controls the name, kept outside the vault; made there where there is none',
    )
    .option('--origin <url>', 'of the service that the name is for', originIn)
    .action((name: string, options: RegisterOptions) =>
      run(
        options.json === true,
        () => register(name, options),
        ({ did }) => `${did} is the vault’s identity now.`,
      ),
    )
}

async function register(name: string, options: RegisterOptions) {
  const did = nameIn(name)
  const vault = await openOrMakeVault()
  const { did: before, signer } = await vault.identity()
  if (before !== did && parseDid(before).form !== 'key') {
    throw new Usage(`this vault is ${before} already: ATH_VAULT names another one`)
  }
  const { place, client } = await registryAt(vault, options)
  const registered = await client.state(did)
  const result =
    registered === undefined
      ? await submit(client, did, signer, options)
      : await ownAlready(registered, signer)
  // Registered and not kept would be a name without an owner: so what was kept first is the key.
  await vault.become(did)
  await rememberPlace(vault, place, true)
  return { ...result, kid: signer.publicKey.thumbprint }
}

async function submit(
  client: RegistryClient,
  did: string,
  signer: Signer,
  { controller, origin }: RegisterOptions,
) {
  const controlling = controller === undefined ? signer : await keyFileOrNew(controller)
  const document = namedDocument(
    did,
    { authentication: [signer.publicKey], capabilityInvocation: [controlling.publicKey] },
    origin === undefined ? [] : [{ id: `${did}#ath`, type: 'AthService', serviceEndpoint: origin }],
  )
  return submitted(
    client,
    await registerOperation({ document, signers: [controlling, signer], now: nowSeconds() }),
  )
}

/** A registration that was taken, and whose answer was lost, is done. @throws HandshakeError `out_of_order` where it is another's */
async function ownAlready(state: DidState, signer: Signer) {
  const { did, seq, head, document } = state
  const keys = document === null ? [] : await keysOf(document, 'authentication')
  if (keys.some(({ thumbprint }) => thumbprint === signer.publicKey.thumbprint))
    return { ok: true as const, did, seq, head }
  throw refuse('out_of_order', `${did} is taken`, { rule: 'ATH-4.6' })
}

function nameIn(text: string): string {
  const did = text.startsWith('did:') ? text : `did:ath:${text}`
  try {
    const { method, form } = parseDid(did)
    if (method === 'ath' && form === 'named') return did
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
  }
  throw new Usage(`${text} is no name: 1 to 128 characters of A-Z a-z 0-9 . _ - that do not look like a key`)
}
