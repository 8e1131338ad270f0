import { createUser } from 'athkit/user'
import type { Command } from 'commander'
import { audience, didIn, objectIn, repeated, scopeList, seconds } from './arguments.ts'
import { authorizationRequestIn, contentOf } from './credential.ts'
import { writePrivate } from './files.ts'
import { asJson } from './options.ts'
import { run } from './outcome.ts'
import { signedIn } from './signed.ts'
import { Usage } from './trouble.ts'
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

export function authorizeCommand(program: Command): void {
  program
    .command('authorize')
    .description('sign a credential for an agent')
    .option('--client <did>', 'the agent', didIn)
    .option('--scopes <a,b>', 'what it may do', scopeList)
    .option('--aud <x>', 'where: a server’s DID or origin; repeatable', repeated)
    .option('--request <file>', 'or what the agent asked for with request-authorization')
    .option('--expires-in <s>', 'for how long', seconds, 7200)
    .option('--restrictions <json>', 'limits, such as {"order_amount_limit":5000}')
    .requiredOption('--out <file>', 'where to write it')
    .addOption(asJson())
    .action((options: AuthorizeOptions) =>
      run(
        options.json === true,
        () => authorize(options),
        ({ client_did, scopes, out }) =>
          `${client_did} may ${scopes.join(', ')}. Give it ${out}: ath credential add ${out}`,
      ),
    )
}

async function authorize(options: AuthorizeOptions) {
  const asked = options.request === undefined ? undefined : authorizationRequestIn(options.request)
  const clientDid = options.client ?? asked?.client_did
  const scopes = options.scopes ?? asked?.scopes
  const places = (options.aud ?? asked?.aud ?? []).map(audience)
  if (clientDid === undefined || scopes === undefined) {
    throw new Usage('--client and --scopes, or --request with what the agent asked for')
  }
  if (places.length === 0) {
    console.error('ath: without --aud it is good at every service where this user is enrolled')
  }
  const { restrictions, out } = options
  const limits = restrictions === undefined ? {} : { restrictions: objectIn(restrictions, '--restrictions') }
  const vault = await openVault()
  const identity = await vault.identity()
  const user = createUser({ identity, credentials: signedIn(vault) })
  const credential = await user.authorize({
    clientDid,
    scopes,
    expiresInSeconds: options.expiresIn,
    ...(places.length === 0 ? {} : { audience: places }),
    ...limits,
  })
  writePrivate(out, `${credential}\n`)
  const { id, expiresAt } = await contentOf(credential, out)
  return {
    ok: true,
    user_did: identity.did,
    client_did: clientDid,
    scopes,
    credential_id: id,
    expires_at: expiresAt,
    out,
  }
}
