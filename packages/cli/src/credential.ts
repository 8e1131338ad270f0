import { addCredential } from 'athkit/agent'
import { HandshakeError } from 'athkit/errors'
import { rememberedOf, type SignedCredential } from 'athkit/user'
import type { Command } from 'commander'
import { audience, json, objectIn, repeated, scopeList } from './arguments.ts'
import { readText, writePrivate } from './files.ts'
import { asJson } from './options.ts'
import { run } from './outcome.ts'
import { Usage } from './trouble.ts'
import { openVault } from './vault.ts'

/** What an agent asks a user for, in a file. */
export interface AuthorizationRequest {
  readonly client_did: string
  readonly scopes: readonly string[]
  readonly aud: readonly string[]
}

interface RequestOptions {
  readonly scopes: string[]
  readonly aud?: string[]
  readonly out: string
  readonly json?: true
}

export function requestAuthorizationCommand(program: Command): void {
  program
    .command('request-authorization')
    .description('write down what to ask the user for')
    .requiredOption('--scopes <a,b>', 'what it wants to do', scopeList)
    .option('--aud <x>', 'where: a server’s DID or origin; repeatable', repeated)
    .requiredOption('--out <file>', 'where to write it')
    .addOption(asJson())
    .action((options: RequestOptions) =>
      run(
        options.json === true,
        () => ask(options),
        ({ out }) => `Give ${out} to the user: ath authorize --request ${out} --out FILE`,
      ),
    )
}

export function credentialCommand(program: Command): void {
  program
    .command('credential')
    .description('the credentials of users that an agent holds')
    .command('add <file>')
    .description('keep a credential in the vault, where connect finds it')
    .addOption(asJson())
    .action((file: string, { json }: { json?: true }) =>
      run(
        json === true,
        () => add(file),
        ({ scopes }) => `Kept in the vault, encrypted: ${scopes.join(', ')}. ${file} is not needed any more.`,
      ),
    )
}

async function ask({ scopes, aud = [], out }: RequestOptions) {
  const { did } = await (await openVault()).identity()
  const request: AuthorizationRequest = { client_did: did, scopes, aud: aud.map(audience) }
  writePrivate(out, `${JSON.stringify(request)}\n`)
  return { ok: true, ...request, out }
}

async function add(file: string) {
  const credential = credentialIn(file)
  const vault = await openVault()
  const { did } = await vault.identity()
  const { clientDid, scopes, expiresAt } = await contentOf(credential, file)
  if (clientDid !== did) throw new Usage(`${file} is for ${clientDid}, and the agent of this vault is ${did}`)
  if (expiresAt <= Date.now() / 1000) throw new Usage(`${file} has ended: ask the user for a new one`)
  await addCredential(vault, credential)
  return { ok: true, scopes, expires_at: expiresAt }
}

/** What a credential says, unverified: its user's signature is for the service to judge, who knows the user. */
export async function contentOf(
  credential: string | Record<string, never>,
  file: string,
): Promise<SignedCredential> {
  const content = await rememberedOf(credential).catch((error: unknown) => {
    if (error instanceof HandshakeError) throw notOne(file)
    throw error
  })
  if (!Array.isArray(content.scopes) || typeof content.expiresAt !== 'number') throw notOne(file)
  return content
}

/** @throws Usage for what is no credential at all */
export async function knownCredentialIn(file: string): Promise<string | Record<string, never>> {
  const credential = credentialIn(file)
  await contentOf(credential, file)
  return credential
}

/** A JWT, or the JSON object of the source documents. */
function credentialIn(file: string): string | Record<string, never> {
  const text = readText(file).trim()
  if (text === '') throw notOne(file)
  return text.startsWith('{') ? objectIn(text, file) : text.startsWith('"') ? String(json(text, file)) : text
}

export function authorizationRequestIn(file: string): AuthorizationRequest {
  const { client_did, scopes, aud } = objectIn(readText(file), file) as unknown as AuthorizationRequest
  const areTexts = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === 'string')
  if (typeof client_did !== 'string' || !areTexts(scopes) || !areTexts(aud)) {
    throw new Usage(`${file} is not what ath request-authorization writes`)
  }
  return { client_did, scopes, aud }
}

const notOne = (file: string) => new Usage(`${file} is no credential: give the file that ath authorize wrote`)
