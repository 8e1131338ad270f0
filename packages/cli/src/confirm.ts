import { AthError } from 'athkit/errors'
import { createUser } from 'athkit/user'
import type { Command } from 'commander'
import { codeBehind } from './advice.ts'
import { didIn, originIn, scopeList, seconds } from './arguments.ts'
import { type Fetch, fetchTrusting } from './fetch.ts'
import { asJson, withCa } from './options.ts'
import { run } from './outcome.ts'
import { askPerson, type Question, questionInWords } from './question.ts'
import { type ResolvingOptions, resolverFor, withResolving } from './resolving.ts'
import { restrictionsInWords } from './say.ts'
import { signedIn } from './signed.ts'
import { NoQuestion, Usage } from './trouble.ts'
import { openVault } from './vault.ts'
import { waitingFor } from './waiting.ts'

interface ConfirmOptions extends ResolvingOptions {
  readonly ca?: string
  readonly server: string
  readonly approve?: true
  readonly deny?: true
  readonly only?: string[]
  readonly list?: true
  readonly wait: number
  readonly json?: true
}

export function confirmCommand(program: Command): void {
  withResolving(program.command('confirm <url>'))
    .description('wait for one question of a service and answer it')
    .addOption(withCa())
    .requiredOption('--server <did>', 'the server that this account is linked to', didIn)
    .option('--approve', 'all that is asked, without picking the code')
    .option('--deny', 'all of it')
    .option('--only <a,b>', 'approve these scopes alone, without picking the code', scopeList)
    .option('--list', 'the open questions, without answering any')
    .option('--wait <s>', 'for a question', seconds, 300)
    .addOption(asJson())
    .action((url: string, options: ConfirmOptions) =>
      options.list === true
        ? run(options.json === true, (signal) => listPending(originIn(url), options, signal), listInWords)
        : run(options.json === true, (signal) => confirm(originIn(url), options, signal), inWords),
    )
}

async function linkTo(origin: string, options: ConfirmOptions, fetch: Fetch) {
  const vault = await openVault()
  const user = createUser({ identity: await vault.identity(), credentials: signedIn(vault) })
  return user.linkTo({
    origin,
    serverDid: options.server,
    resolver: await resolverFor(vault, options),
    fetch,
    onRefused: ({ reason }) => console.error(`ath: passed over a question that does not verify: ${reason}`),
  })
}

/** Without the code, which is for the one who sees the agent to pick. */
async function listPending(origin: string, options: ConfirmOptions, signal: AbortSignal) {
  const link = await linkTo(origin, options, fetchTrusting(options.ca))
  const pending = await link.pending({ signal })
  return {
    ok: true,
    pending: pending.map(
      ({ binding_code, signature, ...question }) => question as Omit<Question, 'binding_code'>,
    ),
  }
}

const listInWords = ({ pending }: Awaited<ReturnType<typeof listPending>>): string =>
  pending.length === 0 ? 'Nobody asks for anything.' : pending.map(questionInWords).join('')

async function confirm(origin: string, options: ConfirmOptions, stopped: AbortSignal) {
  const isScripted = isAnsweredByScript(options)
  const { fetch, trouble } = remembering(fetchTrusting(options.ca))
  const link = await linkTo(origin, options, fetch)
  const done = new AbortController()
  const stopWaiting = waitingFor(`waiting for a question of ${origin}, for ${options.wait} s at most`)
  try {
    const signal = AbortSignal.any([stopped, done.signal, AbortSignal.timeout(options.wait * 1000)])
    for await (const question of link.questions(signal)) {
      stopWaiting()
      const approved = isScripted ? scriptedAnswer(question, options) : await askPerson(question)
      if (approved.length === 0) await link.deny(question)
      else await link.approve(question, { scopes: approved })
      return {
        ok: true,
        request_id: question.request_id,
        client_did: question.client_did,
        approved: approved.length > 0,
        scopes_approved: approved,
        restrictions: question.restrictions ?? {},
        code_picked: !isScripted,
      }
    }
  } finally {
    stopWaiting()
    done.abort()
  }
  throw trouble() ?? new NoQuestion(`no question within ${options.wait} s`)
}

function isAnsweredByScript({ approve, deny, only }: ConfirmOptions): boolean {
  const given = [approve, deny, only].filter((one) => one !== undefined)
  if (given.length > 1) throw new Usage('one of --approve, --deny and --only, not several')
  if (given.length === 0 && process.stdin.isTTY !== true) {
    throw new Usage('nobody is at the terminal to be asked: give --approve, --deny or --only')
  }
  return given.length === 1
}

function scriptedAnswer(question: Question, { deny, only }: ConfirmOptions): readonly string[] {
  console.error(questionInWords(question))
  console.error('ath: answered by a script: nobody compared the code')
  if (deny === true) return []
  const { requested_scopes: asked } = question
  return only === undefined ? asked : asked.filter((scope) => only.includes(scope))
}

/** Waiting goes on while a service cannot be reached; why it never could is told in the end. */
function remembering(fetch: Fetch): { readonly fetch: Fetch; readonly trouble: () => unknown } {
  let last: unknown
  return {
    trouble: () => last,
    fetch: async (url, init) => {
      try {
        const response = await fetch(url, init)
        last = undefined
        return response
      } catch (error) {
        if (codeBehind(error) !== 'ABORT_ERR')
          last = new AthError('transport_failed', 'the service cannot be reached', { cause: error })
        throw error
      }
    },
  }
}

const inWords = ({ approved, scopes_approved, restrictions }: Awaited<ReturnType<typeof confirm>>): string =>
  approved
    ? `Approved: ${scopes_approved.join(', ')}; limits: ${restrictionsInWords(restrictions)}`
    : 'Denied.'
