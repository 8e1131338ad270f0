import { createUser } from 'athkit/user'
import type { Command } from 'commander'
import { didIn, originIn, unixSeconds } from './arguments.ts'
import { contentOf, knownCredentialIn } from './credential.ts'
import { asJson, withCa } from './options.ts'
import { run } from './outcome.ts'
import { fetchTo } from './reach.ts'
import { resolverFor } from './resolving.ts'
import { untilInWords } from './say.ts'
import { signedIn } from './signed.ts'
import { Usage } from './trouble.ts'
import { openVault } from './vault.ts'

interface LinkOptions {
  readonly ca?: string
  readonly server: string
  readonly json?: true
}

interface RevokeOptions extends LinkOptions {
  readonly credential?: string
  readonly credentialId?: string
  readonly expiresAt?: number
  readonly grant?: string
  readonly request?: string
  readonly reason?: string
}

export function revocationCommands(program: Command): void {
  linked(program.command('grants <url>'))
    .description('list what agents may do at a service at present')
    .action((url: string, options: LinkOptions) =>
      run(options.json === true, () => grants(originIn(url), options), grantsInWords),
    )

  linked(program.command('revoke <url>'))
    .description('take back: as a user a credential or a grant, as an agent a grant of one’s own')
    .option('--credential <file>', 'as a user: the credential, and every grant made from it')
    .option('--credential-id <id>', 'the same, where the file is gone')
    .option(
      '--expires-at <s>',
      'with --credential-id of another vault: its end, in Unix seconds',
      unixSeconds,
    )
    .option('--grant <id>', 'the grant: connect --keep prints its id, and ath grants lists them')
    .option('--request <id>', 'as a user: the grant that a question led to, by its request_id')
    .option('--reason <text>', 'why, for the service’s records')
    .action((url: string, options: RevokeOptions) =>
      run(
        options.json === true,
        () => revoke(originIn(url), options),
        ({ target }) => `Taken back: ${target}. The service has signed for it.`,
      ),
    )
}

const linked = (command: Command): Command =>
  command
    .addOption(withCa())
    .requiredOption('--server <did>', 'the server, which signs the receipt', didIn)
    .addOption(asJson())

async function linkTo(origin: string, { ca, server }: LinkOptions) {
  const vault = await openVault()
  const user = createUser({ identity: await vault.identity(), credentials: signedIn(vault) })
  const link = user.linkTo({
    origin,
    serverDid: server,
    resolver: await resolverFor(vault),
    fetch: await fetchTo(vault, origin, ca),
  })
  return { link, user }
}

async function grants(origin: string, options: LinkOptions) {
  const { link } = await linkTo(origin, options)
  return { ok: true, grants: await link.grants() }
}

function grantsInWords({ grants: live }: Awaited<ReturnType<typeof grants>>): string {
  if (live.length === 0) return 'Nobody may do anything there.'
  return live
    .map(
      ({ id, clientDid, scopes, expiresAt }) =>
        `${id}  ${clientDid}\n  ${scopes.join(', ')}, ${untilInWords(expiresAt)}`,
    )
    .join('\n')
}

async function revoke(origin: string, options: RevokeOptions) {
  const { credential, credentialId, grant, request, reason } = options
  const named = [credential, credentialId, grant, request].filter((one) => one !== undefined)
  if (named.length !== 1) throw new Usage('one of --credential, --credential-id, --grant and --request')
  const taken = await takenOf(options)
  const { link, user } = await linkTo(origin, options)
  if (
    'credential' in taken &&
    taken.expiresAt === undefined &&
    !(await user.credentials.find(taken.credential))
  ) {
    throw new Usage('this vault did not sign that credential: give its end with --expires-at')
  }
  await link.revoke(taken, reason)
  return { ok: true, target: 'grant' in taken ? taken.grant : taken.credential }
}

/** A grant goes by its id, or for the user by the question that it came from (ATH-8). */
async function takenOf({ credential, credentialId, expiresAt, grant, request }: RevokeOptions) {
  if (credential !== undefined) {
    const { id, expiresAt } = await contentOf(await knownCredentialIn(credential), credential)
    return { credential: id, expiresAt }
  }
  if (credentialId !== undefined)
    return { credential: credentialId, ...(expiresAt === undefined ? {} : { expiresAt }) }
  return { grant: (grant ?? request) as string }
}
