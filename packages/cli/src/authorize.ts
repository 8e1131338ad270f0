import { writeFileSync } from 'node:fs'
import { addCredential } from 'athkit/agent'
import { createUser } from 'athkit/user'
import type { Command } from 'commander'
import { json, list, objectIn, repeated, seconds } from './arguments.ts'
import { readText } from './fetch.ts'
import { run, Usage } from './outcome.ts'
import { signedIn } from './signed.ts'
import { openVault } from './vault.ts'

interface AuthorizeOptions {
  readonly client?: string
  readonly scopes?: string[]
  readonly aud?: string[]
  readonly expiresIn: number
  readonly restrictions?: string
  readonly request?: string
  readonly out: string
  readonly json?: true
}

/** What an agent asks a user for, in a file. */
interface AuthorizationRequest {
  readonly client_did: string
  readonly scopes: readonly string[]
  readonly aud: readonly string[]
}

export function authorizeCommands(program: Command): void {
  program
    .command('authorize')
    .description('as a user: sign a credential for an agent')
    .option('--client <did>', 'the agent')
    .option('--scopes <a,b>', 'what it may do', list)
    .option('--aud <x>', 'where: server DIDs and origins; repeatable', repeated)
    .option('--request <file>', 'or what the agent asked for with request-authorization')
    .option('--expires-in <s>', 'for how long', seconds, 7200)
    .option('--restrictions <json>', 'limits, such as {"order_amount_limit":5000}')
    .requiredOption('--out <file>', 'where to write it')
    .option('--json')
    .action((options: AuthorizeOptions) => run(options.json === true, () => authorize(options)))

  program
    .command('request-authorization')
    .description('as an agent: write down what to ask the user for')
    .requiredOption('--scopes <a,b>', 'what it wants to do', list)
    .option('--aud <x>', 'where; repeatable', repeated)
    .requiredOption('--out <file>', 'where to write it')
    .option('--json')
    .action(
      ({ scopes, aud = [], out, json }: { scopes: string[]; aud?: string[]; out: string; json?: true }) =>
        run(json === true, async () => {
          const { did } = await (await openVault()).identity()
          const request: AuthorizationRequest = { client_did: did, scopes, aud }
          write(out, `${JSON.stringify(request)}\n`)
          return { ok: true, client_did: did, out }
        }),
    )

  program
    .command('credential')
    .description('the credentials of users that an agent holds')
    .command('add <file>')
    .description('as an agent: keep a credential in the vault, where connect finds it')
    .option('--json')
    .action((file: string, { json }: { json?: true }) =>
      run(json === true, async () => {
        await addCredential(await openVault(), credentialIn(file))
        return { ok: true }
      }),
    )
}

async function authorize(options: AuthorizeOptions): Promise<object> {
  const asked = options.request === undefined ? undefined : requestIn(options.request)
  const clientDid = options.client ?? asked?.client_did
  const scopes = options.scopes ?? asked?.scopes
  const audience = options.aud ?? asked?.aud ?? []
  if (clientDid === undefined || scopes === undefined) {
    throw new Usage('--client and --scopes, or --request with what the agent asked for')
  }
  const vault = await openVault()
  const identity = await vault.identity()
  const user = createUser({ identity, credentials: signedIn(vault) })
  const restrictions = options.restrictions
  const credential = await user.authorize({
    clientDid,
    scopes,
    expiresInSeconds: options.expiresIn,
    ...(audience.length === 0 ? {} : { audience }),
    ...(restrictions === undefined ? {} : { restrictions: objectIn(restrictions, '--restrictions') }),
  })
  write(options.out, `${credential}\n`)
  return { ok: true, user_did: identity.did, client_did: clientDid, scopes, out: options.out }
}

function requestIn(file: string): AuthorizationRequest {
  const { client_did, scopes, aud } = objectIn(readText(file), file) as unknown as AuthorizationRequest
  const areTexts = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === 'string')
  if (typeof client_did !== 'string' || !areTexts(scopes) || !areTexts(aud)) {
    throw new Usage(`${file} is not what request-authorization writes`)
  }
  return { client_did, scopes, aud }
}

/** A JWT, or the JSON object of the source documents. */
export function credentialIn(file: string): string | Record<string, never> {
  const text = readText(file).trim()
  return text.startsWith('{') ? objectIn(text, file) : text.startsWith('"') ? String(json(text, file)) : text
}

function write(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 })
}
