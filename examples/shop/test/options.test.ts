import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { createAgent } from '../../../packages/athkit/src/agent/index.ts'
import { generateSigner } from '../../../packages/athkit/src/crypto/keys.ts'
import { didFromKey } from '../../../packages/athkit/src/did/did.ts'
import { createUser } from '../../../packages/athkit/src/user/index.ts'
import { fetchWith } from './fetch-with.ts'

const script = new URL('../dist/shop.js', import.meta.url).pathname
const folders: string[] = []
const children: ChildProcess[] = []
const stops: AbortController[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const party = async () => {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}

type Answer = 'approve' | 'deny' | 'nothing'

/** The shop with these options, an agent, and a user who answers as they are told. */
async function shop(args: readonly string[], db?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-shop-'))
  folders.push(folder)
  const caFile = join(folder, 'ca.pem')
  const [agentParty, userParty] = [await party(), await party()]
  const more = db === undefined ? [] : ['--db', db]
  const child = spawn(
    process.execPath,
    [script, '--port', '0', '--ca-file', caFile, '--enrol', userParty.did, ...more, ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  children.push(child)
  const ready = await new Promise<{ origin: string; server_did: string }>((resolve) =>
    child.stdout.once('data', (data) => resolve(JSON.parse(String(data)))),
  )
  const fetch = fetchWith(readFileSync(caFile, 'utf8'))
  const user = createUser({ identity: userParty })
  const agent = createAgent({ identity: agentParty, fetch })
  const authorization = await user.authorize({
    clientDid: agentParty.did,
    scopes: ['goods:read'],
    audience: ready.server_did,
    expiresInSeconds: 600,
  })
  const answers: Answer[] = []
  const stop = new AbortController()
  stops.push(stop)
  const link = user.linkTo({ origin: ready.origin, serverDid: ready.server_did, fetch })
  const answering = async () => {
    for await (const question of link.questions(stop.signal)) {
      const answer = answers.shift() ?? 'approve'
      if (answer === 'approve') await link.approve(question)
      if (answer === 'deny') await link.deny(question)
    }
  }
  answering().catch(() => undefined)
  return {
    ...ready,
    child,
    fetch,
    answers,
    connect: (signal?: AbortSignal) =>
      agent.connect(ready.origin, {
        authorization,
        scopes: ['goods:read'],
        ...(signal === undefined ? {} : { signal }),
      }),
  }
}

const nameOf = (work: Promise<unknown>) =>
  work.then(
    () => 'granted',
    (error: { error?: string; name?: string }) => error.error ?? error.name,
  )

describe('options of the shop alone', () => {
  test.each([
    [['--port', 'http'], '--port'],
    [['--port', '70000'], '--port'],
    [['--ask', 'sometimes'], '--ask'],
    [['--token-ttl', '-1'], '--token-ttl'],
    [['--token-ttl', '1.5'], '--token-ttl'],
    [['--rate-limit', 'often'], 'rate'],
    [['--enrol', 'nobody'], 'DID'],
    [['--unknown'], '--unknown'],
    [['positional'], 'positional'],
  ])('%j: one sentence, and status 2', (args, word) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toContain(word)
    expect(stderr).not.toMatch(/ at .*:[0-9]+:[0-9]+/)
  })

  test('--help says how it is used', () => {
    const { status, stdout } = spawnSync(process.execPath, [script, '--help'], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(status).toBe(0)
    expect(stdout).toContain('--denial-backoff')
  })

  test('--ask never: nobody is; --rate-limit none and --token-ttl: the grant says so', async () => {
    const { connect } = await shop(['--ask', 'never', '--rate-limit', 'none', '--token-ttl', '60'])
    const session = await connect()
    expect(session.grant.restrictions).toEqual({ order_amount_limit: 5000 })
    const seconds = (await session.renew()) - Date.now() / 1000
    expect(seconds).toBeGreaterThan(50)
    expect(seconds).toBeLessThan(62)
  }, 30_000)

  test('--rate-limit V: what is beyond it is refused', async () => {
    const { connect } = await shop(['--ask', 'never', '--rate-limit', '2/minute'])
    const session = await connect()
    expect(session.grant.restrictions).toMatchObject({ rate_limit: '2/minute' })
    for (let i = 0; i < 2; i++) expect((await session.fetch('/api/goods')).status).toBe(200)
    const third = session.fetch('/api/goods', { signal: AbortSignal.timeout(1000) })
    expect(await nameOf(third)).not.toBe('granted')
  }, 30_000)

  test('by default the user is asked; --denial-backoff 0 lets them be asked again at once', async () => {
    const waits = await shop([])
    waits.answers.push('deny', 'approve')
    expect(await nameOf(waits.connect())).toBe('scope_denied')
    expect(await nameOf(waits.connect(AbortSignal.timeout(1500)))).toBe('TimeoutError')
    const quick = await shop(['--denial-backoff', '0'])
    quick.answers.push('deny', 'approve')
    expect(await nameOf(quick.connect())).toBe('scope_denied')
    expect(await nameOf(quick.connect())).toBe('granted')
  }, 40_000)

  test('--confirm-timeout: a question that nobody answers lapses', async () => {
    const { connect, answers } = await shop(['--confirm-timeout', '1', '--denial-backoff', '0'])
    // The agent begins anew, at most three times (ATH-9).
    answers.push('nothing', 'nothing', 'nothing', 'nothing')
    const begin = Date.now()
    expect(await nameOf(connect())).toBe('confirmation_timeout')
    expect(Date.now() - begin).toBeLessThan(15_000)
  }, 40_000)

  test('--provisional: a session that is not used lapses', async () => {
    const { connect } = await shop(['--ask', 'never', '--provisional', '1'])
    const used = await connect()
    expect((await used.fetch('/api/goods')).status).toBe(200)
    const grant = (await connect()).grant
    expect(grant.scopes).toEqual(['goods:read'])
    await sleep(2100)
    expect((await used.fetch('/api/goods')).status).toBe(200)
  }, 30_000)

  test('--db: identity, sessions and all outlive the process', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'athkit-shop-'))
    folders.push(folder)
    const db = join(folder, 'shop.db')
    const first = await shop(['--ask', 'never'], db)
    const ended = new Promise((resolve) => first.child.once('exit', resolve))
    first.child.kill('SIGTERM')
    expect(await ended).toBe(0)
    const second = await shop(['--ask', 'never'], db)
    expect(second.server_did).toBe(first.server_did)
  }, 30_000)
})
