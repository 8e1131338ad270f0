import { type AgentSession, createAgent } from 'athkit/agent'
import { AthError } from 'athkit/errors'
import type { Command } from 'commander'
import { originIn, scopeList, seconds } from './arguments.ts'
import { knownCredentialIn } from './credential.ts'
import { fetchTrusting } from './fetch.ts'
import { asJson, ofServer, withCa } from './options.ts'
import { run } from './outcome.ts'
import { rememberReach } from './reach.ts'
import { type Answered, type RequestLine, requestLineIn, send } from './request-line.ts'
import { type ResolvingOptions, resolverFor, withResolving } from './resolving.ts'
import { answerInWords, grantInWords } from './say.ts'
import { ANSWER_WITHIN, CLOSE_WITHIN, CLOSE_WITHIN_STOPPED, closeWithin } from './sessions.ts'
import { Unfinished } from './trouble.ts'
import { openVault } from './vault.ts'
import { waitingForUser } from './waiting.ts'

interface ConnectOptions extends ResolvingOptions {
  readonly ca?: string
  readonly server?: string
  readonly authorization?: string
  readonly scopes: string[]
  readonly ttl?: number
  readonly context?: string
  readonly timeout: number
  readonly keep?: true
  readonly json?: true
}

/** What to do in the session, in the order of the command line. */
type Step = { readonly do: 'request'; readonly request: RequestLine } | { readonly do: 'rotate' | 'renew' }

export function connectCommand(program: Command): void {
  const steps: Step[] = []
  withResolving(program.command('connect <url>'))
    .description('shake hands, make the requests, end the session')
    .addOption(withCa())
    .addOption(ofServer())
    .option('--authorization <file>', 'the user’s credential; without it, one in the vault that fits')
    .requiredOption('--scopes <a,b>', 'what to ask for', scopeList)
    .option('--ttl <s>', 'for how long', seconds)
    .option('--context <text>', 'why, in words for the user')
    .option('--request <line>', "'GET /x' or 'POST /x {\"json\":1}'; repeatable")
    .option('--rotate', 'new keys, between the requests')
    .option('--renew', 'a new token, between the requests')
    .option('--keep', 'leave the session in the vault, for ath request and ath close')
    .option('--timeout <s>', 'for the whole answer to each request', seconds, 60)
    .addOption(asJson())
    .on('option:request', (text: string) => steps.push({ do: 'request', request: requestLineIn(text) }))
    .on('option:rotate', () => steps.push({ do: 'rotate' }))
    .on('option:renew', () => steps.push({ do: 'renew' }))
    .action((url: string, options: ConnectOptions) =>
      run(
        options.json === true,
        (signal) => connect(originIn(url), options, steps, signal),
        answersInWords(steps, options.keep === true),
      ),
    )
}

async function connect(origin: string, options: ConnectOptions, steps: readonly Step[], signal: AbortSignal) {
  const { ca, server, authorization, ttl, context, scopes } = options
  const credential = authorization === undefined ? undefined : await knownCredentialIn(authorization)
  const vault = await openVault()
  const keep = options.keep === true
  const agent = createAgent({
    identity: await vault.identity(),
    vault,
    resolver: await resolverFor(vault, options),
    fetch: fetchTrusting(ca),
    answerWithin: ANSWER_WITHIN,
  })
  let stopWaiting = (): void => undefined
  const session = await agent
    .connect(origin, {
      scopes,
      keep,
      ...(server === undefined ? {} : { serverDid: server }),
      ...(credential === undefined ? {} : { authorization: credential }),
      ...(ttl === undefined ? {} : { ttlSeconds: ttl }),
      ...(context === undefined ? {} : { context }),
      onPending: (pending) => {
        stopWaiting = waitingForUser(pending)
      },
      signal,
    })
    .finally(() => stopWaiting())
  const { grant } = session
  if (options.json !== true) console.error(grantInWords(grant))
  const responses: Answered[] = []
  const done = { scopes_granted: grant.scopes, responses }
  try {
    await take(steps, session, responses, { seconds: options.timeout, signal })
  } catch (error) {
    await closeWithin(session, CLOSE_WITHIN_STOPPED).catch(() => undefined)
    throw new Unfinished(error, done)
  }
  if (keep) {
    await rememberReach(vault, origin, ca)
    return { ok: true, ...done, grant: grant.id, expires_at: grant.expiresAt }
  }
  await closeWithin(session, CLOSE_WITHIN).catch((error: unknown) => {
    // A peer that breaks the rules at the end has broken them.
    if (!(error instanceof AthError && error.trouble === 'transport_failed'))
      throw new Unfinished(error, done)
    console.error('ath: the service did not answer to the end of the session; it lapses by itself')
  })
  return { ok: true, ...done }
}

async function take(
  steps: readonly Step[],
  session: AgentSession,
  responses: Answered[],
  limits: { readonly seconds: number; readonly signal: AbortSignal },
): Promise<void> {
  for (const step of steps) {
    if (step.do === 'request') responses.push(await send(session, step.request, limits))
    else await session[step.do](limits.signal)
  }
}

const answersInWords =
  (steps: readonly Step[], isKept: boolean) =>
  ({ responses }: { readonly responses: readonly Answered[] }): string | undefined => {
    const lines = steps.flatMap((step) => (step.do === 'request' ? [step.request.line] : []))
    const answers = responses.map((answer, index) => answerInWords(lines[index] ?? '', answer))
    if (isKept) answers.push("The session is kept: ath request 'GET /…' goes on with it, ath close ends it.")
    return answers.length === 0 ? undefined : answers.join('\n\n')
  }
