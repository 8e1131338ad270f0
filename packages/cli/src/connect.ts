import { type AgentSession, createAgent } from 'athkit/agent'
import { HandshakeError } from 'athkit/errors'
import type { Command } from 'commander'
import { list, objectIn, seconds } from './arguments.ts'
import { credentialIn } from './authorize.ts'
import { fetchTrusting } from './fetch.ts'
import { run, Usage } from './outcome.ts'
import { openVault } from './vault.ts'

interface ConnectOptions {
  readonly ca?: string
  readonly server?: string
  readonly authorization?: string
  readonly scopes: string[]
  readonly ttl?: number
  readonly context?: string
  readonly json?: true
}

/** What to do in the session, in the order of the command line. */
type Step = { readonly do: 'request'; readonly line: string } | { readonly do: 'rotate' | 'renew' }

export function connectCommand(program: Command): void {
  const steps: Step[] = []
  program
    .command('connect <url>')
    .description('as an agent: shake hands, make the requests, end the session')
    .option('--ca <file>', 'certificates of authorities to trust, PEM')
    .option('--server <did>', 'the one server that it may be')
    .option('--authorization <file>', 'the user’s credential; without it, one in the vault that fits')
    .requiredOption('--scopes <a,b>', 'what to ask for', list)
    .option('--ttl <s>', 'for how long', seconds)
    .option('--context <text>', 'why, in words for the user')
    .option('--request <line>', "'GET /x' or 'POST /x {\"json\":1}'; repeatable")
    .option('--rotate', 'new keys, between the requests')
    .option('--renew', 'a new token, between the requests')
    .option('--json')
    .on('option:request', (line: string) => steps.push({ do: 'request', line }))
    .on('option:rotate', () => steps.push({ do: 'rotate' }))
    .on('option:renew', () => steps.push({ do: 'renew' }))
    .action((url: string, options: ConnectOptions) =>
      run(options.json === true, () => connect(url, options, steps)),
    )
}

async function connect(url: string, options: ConnectOptions, steps: readonly Step[]): Promise<object> {
  const requests = steps.map((step) => (step.do === 'request' ? parseRequest(step.line) : step))
  const vault = await openVault()
  const agent = createAgent({ identity: await vault.identity(), vault, fetch: fetchTrusting(options.ca) })
  const { server, authorization, ttl, context } = options
  const session = await agent.connect(url, {
    scopes: options.scopes,
    ...(server === undefined ? {} : { serverDid: server }),
    ...(authorization === undefined ? {} : { authorization: credentialIn(authorization) }),
    ...(ttl === undefined ? {} : { ttlSeconds: ttl }),
    ...(context === undefined ? {} : { context }),
    onPending: ({ bindingCode, expiresAt }) => {
      const until = new Date(expiresAt * 1000).toISOString()
      console.error(`ath: the user is asked, until ${until}; the code to pick is ${bindingCode}`)
    },
  })
  try {
    const responses: object[] = []
    for (const step of requests) {
      if ('line' in step) responses.push(await send(session, step))
      else await session[step.do]()
    }
    return { ok: true, scopes_granted: session.grant.scopes, responses }
  } finally {
    await session.close()
  }
}

interface ParsedRequest {
  /** Method and path. */
  readonly line: string
  readonly json?: Record<string, never>
}

function parseRequest(line: string): ParsedRequest {
  const [, method, path, body] = /^([A-Za-z]+) (\S+)(?: (.+))?$/s.exec(line) ?? []
  if (method === undefined || path === undefined)
    throw new Usage(`--request '${line}' is not a method and a path`)
  const request = { line: `${method.toUpperCase()} ${path}` }
  return body === undefined ? request : { ...request, json: objectIn(body, 'the body of --request') }
}

async function send(session: AgentSession, { line, json }: ParsedRequest): Promise<object> {
  const response = await session.request(line, json === undefined ? {} : { json }).catch((error: unknown) => {
    // What the service refuses is its answer; what it may not do ends the session.
    if (error instanceof HandshakeError && error.rule === undefined) {
      return Response.json(error.toWire(Math.floor(Date.now() / 1000)), { status: error.code })
    }
    throw error
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  return { status: response.status, body: isJson && text !== '' ? JSON.parse(text) : text }
}
