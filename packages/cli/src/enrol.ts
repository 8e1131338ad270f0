import { confirm } from '@clack/prompts'
import { createUser, enrolAt } from 'athkit/user'
import type { Command } from 'commander'
import { enrolmentUrlIn } from './arguments.ts'
import { fetchTrusting } from './fetch.ts'
import { asJson, withCa } from './options.ts'
import { run } from './outcome.ts'
import { type ResolvingOptions, resolverFor, withResolving } from './resolving.ts'
import { Interrupted } from './trouble.ts'
import { openOrMakeVault } from './vault.ts'

interface EnrolOptions extends ResolvingOptions {
  readonly ca?: string
  readonly challenge: string
  readonly yes?: true
  readonly json?: true
}

export function enrolCommand(program: Command): void {
  withResolving(program.command('enrol <url>'))
    .description(
      'link this DID to one’s account at a service, with the challenge that the account’s page shows',
    )
    .requiredOption('--challenge <text>', 'what the page shows')
    .addOption(withCa())
    .option('--yes', 'without asking')
    .addOption(asJson())
    .action((url: string, options: EnrolOptions) =>
      run(
        options.json === true,
        (signal) => enrol(enrolmentUrlIn(url), options, signal),
        ({ user_did, server_did, origin }) =>
          `${user_did} is linked. Questions of ${origin} come from ${server_did}, as ath confirm --server ${server_did} expects.`,
      ),
    )
}

async function enrol(url: string, options: EnrolOptions, signal: AbortSignal) {
  const vault = await openOrMakeVault()
  // The registry that is named here is where the server's questions are verified later.
  await resolverFor(vault, options)
  const user = createUser({ identity: await vault.identity() })
  const { origin } = new URL(url)
  // Whoever signs a challenge out of another's page links their DID to that one's account.
  if (process.stdin.isTTY === true && options.yes !== true) {
    const message = `Is the challenge from your own account's page at ${origin}, and did you open that page yourself?`
    if ((await confirm({ message, initialValue: false, output: process.stderr })) !== true)
      throw new Interrupted('SIGINT')
  }
  const { challenge, ca } = options
  const { serverDid } = await enrolAt(user, { url, challenge, fetch: fetchTrusting(ca), signal })
  return { ok: true, user_did: user.did, server_did: serverDid, origin }
}
