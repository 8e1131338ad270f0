/** `npm start`: the shopping scenario of the source documents as three parties over TLS 1.3, and the registry of their names. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeLocalCertificates } from '@athkit/cli/loopback'
import { type Line, printer } from './narrator.ts'

const flag = { type: 'boolean', default: false } as const
const USAGE = 'Usage: npm start -- [--yes | --deny | --only SCOPE[,SCOPE]]'
const values = optionsOf(process.argv.slice(2))
const hasPerson = process.stdin.isTTY === true && !values.yes && !values.deny && values.only === undefined

/** Of the source documents, and the user's. */
const NAMES = {
  shop: 'did:ath:ecommerce_platform_001',
  agent: 'did:ath:ai_shopping_assistant_001',
  user: 'did:ath:shopper_001',
} as const

const ATH = fileURLToPath(new URL('./dist/main.js', import.meta.resolve('@athkit/cli/package.json')))

const folder = mkdtempSync(join(tmpdir(), 'athkit-shop-'))
const path = (name: string) => join(folder, name)
const children: ChildProcess[] = []
let ended = (_: Error): void => undefined
/** Rejects when one of them ends before the story does: the others would wait for it for ever. */
const anEnd = new Promise<never>((_, reject) => {
  ended = reject
})
const out = printer(({ role, step, text }: Line) => {
  console.log(`${step ? `${step.padStart(2)} ` : '   '} ${role.padEnd(8)} ${text}`)
})

function optionsOf(args: string[]) {
  try {
    return parseArgs({ args, options: { yes: flag, deny: flag, only: { type: 'string' } } }).values
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

type Report = Record<string, unknown>

/** Starts a process; resolves with the first thing it reports. What it is told, it is told on its command line. */
function start(
  name: string,
  args: readonly string[],
  input: 'inherit' | 'ignore' = 'ignore',
): Promise<Report> {
  const isRegistry = name === 'registry'
  const script = isRegistry ? ATH : fileURLToPath(new URL(`./${name}.js`, import.meta.url))
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: path('ca.pem'), NODE_NO_WARNINGS: '1' }
  const child = spawn(process.execPath, ['--tls-min-v1.3', script, ...args], {
    env,
    stdio: [input, 'pipe', isRegistry ? 'pipe' : 'inherit'],
  })
  children.push(child)
  // The registry is a program of its own, which tells no story: what it takes is one line of its log each.
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (text) => {
      out.add({ role: 'registry', at: performance.timeOrigin + performance.now(), text })
    })
  }
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
      const message = JSON.parse(line) as Report & { say?: Line }
      if (message.say === undefined) resolve(message)
      else out.add(message.say)
    })
    child.once('exit', (code) => {
      const error = new Error(`${name} ended with ${code}`)
      reject(error)
      // The assistant's end is the story's.
      if (code !== 0 || name !== 'assistant') ended(error)
    })
  })
}

async function scenario(): Promise<Report> {
  const { ca, cert, key } = await makeLocalCertificates()
  for (const [name, pem] of [
    ['ca.pem', ca],
    ['cert.pem', cert],
    ['key.pem', key],
  ] as const) {
    writeFileSync(path(name), pem, { mode: 0o600 })
  }
  const tls = ['--cert', path('cert.pem'), '--key', path('key.pem')]
  const registry = await start('registry', ['registry', '--db', path('registry.db'), ...tls])
  const known = ['--registry', String(registry.origin)]
  const shop = await start('shop', [
    ...['--narrate', '--db', path('shop.db'), '--enrol', NAMES.user, '--did', NAMES.shop],
    ...known,
    ...tls,
  ])
  const at = ['--origin', String(shop.origin), '--server', String(shop.server_did), ...known]
  console.log(`   registry at ${registry.origin}, shop at ${shop.origin} (both TLS 1.3)`)
  console.log(`   shop ${shop.server_did}, user ${NAMES.user}, agent ${NAMES.agent}\n`)
  const answers = [
    ...(values.deny ? ['--deny'] : []),
    ...(values.only === undefined ? [] : ['--only', values.only]),
    ...(hasPerson ? ['--person'] : []),
  ]
  const user = await start(
    'user',
    ['--identity', path('user.pem'), '--did', NAMES.user, ...at, ...tls, ...answers],
    hasPerson ? 'inherit' : 'ignore',
  )
  const { outcome } = await start('assistant', [
    ...['--did', NAMES.agent, '--authorize', String(user.authorize)],
    ...at,
  ])
  return outcome as Report
}

/** What has to come of it. With a person at the terminal, whatever they decided. */
function deviation({ granted, placed, beyond, found }: Report): string | undefined {
  const scopes = Array.isArray(granted) ? granted : []
  const expected = values.deny
    ? []
    : values.only === undefined
      ? ['goods:read', 'order:create']
      : values.only.split(',')
  if (!hasPerson && scopes.join() !== expected.join())
    return `granted ${scopes.join() || 'nothing'} instead of ${expected.join() || 'nothing'}`
  if (scopes.length === 0) return undefined
  const mayOrder = scopes.includes('order:create')
  if (found !== (scopes.includes('goods:read') ? 3 : 'scope_denied')) return `the search came to ${found}`
  if (placed !== (mayOrder ? '201' : 'scope_denied')) return `the order within the limit came to ${placed}`
  return beyond === (mayOrder ? 'restriction_violated' : 'scope_denied')
    ? undefined
    : `the order beyond the limit came to ${beyond}`
}

let code = 1
try {
  const outcome = await Promise.race([scenario(), anEnd])
  out.flush()
  const wrong = deviation(outcome)
  if (wrong === undefined) {
    const granted = (outcome.granted as string[]).join(', ') || 'nothing'
    console.log(
      `\nDone. Granted: ${granted}.${outcome.placed === undefined ? '' : ` Order of 2999: ${outcome.placed}. Order of 5998, beyond 5000: ${outcome.beyond}.`}`,
    )
    code = 0
  } else console.error(`\nNot as it should be: ${wrong}`)
} catch (error) {
  out.flush()
  console.error(error instanceof Error ? error.message : error)
} finally {
  for (const child of children) child.removeAllListeners('exit').kill('SIGTERM')
  rmSync(folder, { recursive: true, force: true })
}
process.exit(code)
