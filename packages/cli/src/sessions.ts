import { type AgentSession, createAgent } from 'athkit/agent'
import { AthError } from 'athkit/errors'
import type { Command } from 'commander'
import { originIn, seconds } from './arguments.ts'
import { asJson, withCa } from './options.ts'
import { run } from './outcome.ts'
import { createPrinter } from './output.ts'
import { fetchTo, forgetReach, keptOrigin } from './reach.ts'
import { requestLineIn, sendAlone } from './request-line.ts'
import { resolverFor } from './resolving.ts'
import { NoSession } from './trouble.ts'
import { openVault } from './vault.ts'

/** Milliseconds for each answer of ATH itself: nobody at a terminal waits as long as a server might. */
export const ANSWER_WITHIN = 10_000
/** Milliseconds to end a session in; after Ctrl-C, where somebody waits for it. */
export const CLOSE_WITHIN = 10_000
export const CLOSE_WITHIN_STOPPED = 3000

interface KeptOptions {
  readonly at?: string
  readonly ca?: string
  readonly json?: true
}

export function sessionCommands(program: Command): void {
  program
    .command('request <line>')
    .description('a request in the session that connect --keep left in the vault')
    .option('--at <url>', 'the service, where sessions with several are kept', originIn)
    .addOption(withCa())
    .option('--timeout <s>', 'for the whole answer', seconds, 60)
    .addOption(asJson())
    .action((line: string, options: KeptOptions & { readonly timeout: number }) =>
      run(
        options.json === true,
        (signal) => request(line, options, signal),
        () => undefined,
      ),
    )

  program
    .command('close')
    .description('end the session that connect --keep left in the vault, on both sides')
    .option('--at <url>', 'the service, where sessions with several are kept', originIn)
    .addOption(withCa())
    .addOption(asJson())
    .action((options: KeptOptions) =>
      run(
        options.json === true,
        () => end(options),
        ({ origin }) => `The session with ${origin} has ended.`,
      ),
    )
}

async function request(
  line: string,
  options: KeptOptions & { readonly timeout: number },
  signal: AbortSignal,
) {
  const wanted = requestLineIn(line)
  const { session } = await resumed(options)
  const limits = { seconds: options.timeout, signal }
  if (options.json === true) return { ok: true, ...(await sendAlone(session, wanted, limits)) }
  const printer = createPrinter(process.stdout)
  const answer = await sendAlone(session, wanted, limits, printer.print)
  printer.end()
  if (answer.status < 200 || answer.status > 299) console.error(`ath: the service answered ${answer.status}`)
  return { ok: true, ...answer }
}

async function end(options: KeptOptions) {
  const { session, origin, forget } = await resumed(options)
  await closeWithin(session, CLOSE_WITHIN)
  await forget()
  return { ok: true, origin }
}

/** @throws NoSession where none is kept, or its grant is over */
async function resumed({ at, ca }: KeptOptions) {
  const vault = await openVault()
  const origin = await keptOrigin(vault, at)
  const fetch = await fetchTo(vault, origin, ca)
  const agent = createAgent({
    identity: await vault.identity(),
    vault,
    resolver: await resolverFor(vault),
    fetch,
    answerWithin: ANSWER_WITHIN,
  })
  const session = await agent.resume(origin)
  if (session === undefined) throw new NoSession(`no session with ${origin} is kept any more`)
  return { session, origin, forget: () => forgetReach(vault, origin) }
}

/** @throws AthError `transport_failed` when the service does not answer to it in time; the session lapses by itself then */
export async function closeWithin(session: AgentSession, milliseconds: number): Promise<void> {
  const limit = AbortSignal.timeout(milliseconds)
  await session.close(limit).catch((error: unknown) => {
    throw limit.aborted ? new AthError('transport_failed', 'no answer to the end of the session') : error
  })
}
