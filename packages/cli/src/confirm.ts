import { isCancel, multiselect, select } from '@clack/prompts'
import { AthError } from 'athkit/errors'
import { bindingChoices, createUser, visible } from 'athkit/user'
import type { Command } from 'commander'
import { list, seconds } from './arguments.ts'
import { fetchTrusting } from './fetch.ts'
import { run, Usage } from './outcome.ts'
import { signedIn } from './signed.ts'
import { openVault } from './vault.ts'

interface ConfirmOptions {
  readonly ca?: string
  readonly server: string
  readonly approve?: true
  readonly deny?: true
  readonly only?: string[]
  readonly wait: number
  readonly json?: true
}

type Question = Parameters<typeof bindingChoices>[0] & {
  readonly requested_scopes: readonly string[]
  readonly client_did: string
  readonly client_info: { readonly name?: unknown }
  readonly context?: string | null | undefined
  readonly restrictions?: unknown
  readonly ttl?: number | null | undefined
}

export function confirmCommand(program: Command): void {
  program
    .command('confirm <url>')
    .description('as a user: wait for one question of a service and answer it')
    .option('--ca <file>', 'certificates of authorities to trust, PEM')
    .requiredOption('--server <did>', 'the server that this account is linked to')
    .option('--approve', 'all that is asked, without picking the code')
    .option('--deny', 'all of it')
    .option('--only <a,b>', 'approve these scopes alone, without picking the code', list)
    .option('--wait <s>', 'for a question', seconds, 300)
    .option('--json')
    .action((url: string, options: ConfirmOptions) => run(options.json === true, () => confirm(url, options)))
}

async function confirm(url: string, options: ConfirmOptions): Promise<object> {
  const scripted = [options.approve, options.deny, options.only].filter((given) => given !== undefined)
  if (scripted.length > 1) throw new Usage('one of --approve, --deny and --only')
  if (scripted.length === 0 && !process.stdin.isTTY)
    throw new Usage('--approve, --deny or --only: nobody is at the terminal')
  const vault = await openVault()
  const user = createUser({ identity: await vault.identity(), credentials: signedIn(vault) })
  const origin = new URL(url).origin
  const link = user.linkTo({ origin, serverDid: options.server, fetch: fetchTrusting(options.ca) })
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), options.wait * 1000)
  try {
    for await (const question of link.questions(stop.signal)) {
      clearTimeout(timer)
      const approved = scripted.length === 0 ? await pickedBy(question) : scriptedAnswer(question, options)
      if (approved.length === 0) await link.deny(question)
      else await link.approve(question, { scopes: approved })
      return {
        ok: true,
        request_id: question.request_id,
        client_did: question.client_did,
        approved: approved.length > 0,
        scopes_approved: approved,
        restrictions: question.restrictions ?? {},
        code_picked: scripted.length === 0,
      }
    }
  } finally {
    clearTimeout(timer)
    stop.abort()
  }
  throw new AthError('transport_failed', `no question within ${options.wait} s`)
}

function scriptedAnswer(
  { requested_scopes: asked }: Question,
  { deny, only }: ConfirmOptions,
): readonly string[] {
  if (deny === true) return []
  console.error('ath: answered by a script: nobody compared the code')
  return only === undefined ? asked : asked.filter((scope) => only.includes(scope))
}

/** The person picks the code that the agent shows among three, then what of it they approve. Whoever leaves denies. */
async function pickedBy(question: Question): Promise<readonly string[]> {
  const name = visible(String(question.client_info.name ?? question.client_did))
  const limits = JSON.stringify(question.restrictions ?? {})
  const output = process.stderr
  console.error(
    `\n${name} asks for access; it says “${visible(question.context ?? '')}”\nLimits: ${limits}; for ${question.ttl ?? '?'} s\n`,
  )
  const none = 'none of these'
  const code = await select({
    message: 'Which code does the agent show?',
    options: [...bindingChoices(question), none].map((value) => ({ value, label: value })),
    output,
  })
  if (code !== question.binding_code) return []
  const scopes = await multiselect({
    message: 'What may it do? Nothing denies.',
    options: question.requested_scopes.map((value) => ({ value, label: value })),
    initialValues: [...question.requested_scopes],
    required: false,
    output,
  })
  return isCancel(scopes) ? [] : scopes
}
