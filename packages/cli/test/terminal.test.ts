import { type ChildProcess, spawn } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPeople } from './ath.ts'
import { hasTerminal } from './terminal.ts'

const { at, ath, start, shop, end } = createPeople()
const ATH = new URL('../../../tools/ath.mjs', import.meta.url).pathname
const DOWN = '\u001b[B'
const ENTER = '\r'
const CTRL_C = '\u0003'

let where: string[] = []
let wish: string[] = []
beforeAll(async () => {
  const [agent, user] = await Promise.all([ath('agent', 'init', '--json'), ath('user', 'init', '--json')])
  const service = await shop('--enrol', String(user.last.did))
  where = [service.origin, '--ca', at('ca.pem'), '--server', service.server_did]
  const scopes = ['--scopes', 'goods:read,order:create']
  const client = ['--client', String(agent.last.did), '--aud', service.server_did]
  await ath(
    'user',
    'authorize',
    ...client,
    ...scopes,
    '--restrictions',
    '{"order_amount_limit":100}',
    '--out',
    at('m0'),
  )
  wish = [...scopes, '--authorization', at('m0'), '--context', 'Buy a case \u202e now']
}, 60_000)
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
  end()
})

const running: ChildProcess[] = []

/** A command at a terminal of its own, where somebody answers each prompt once it is there. */
function atTerminal(
  command: string,
  env: NodeJS.ProcessEnv,
  answers: readonly (readonly [prompt: RegExp, answer: (screen: string) => string])[],
) {
  const child = spawn('script', ['-qfec', `stty rows 40 cols 120; ${command}`, '/dev/null'], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  running.push(child)
  const left = [...answers]
  let screen = ''
  child.stdout.on('data', (data) => {
    screen += stripVTControlCharacters(String(data))
    const [next] = left
    if (next === undefined || !next[0].test(screen)) return
    left.shift()
    child.stdin.write(next[1](screen))
  })
  return new Promise<{ code: number | null; screen: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, screen })),
  )
}

const confirm = (...answers: Parameters<typeof atTerminal>[2]) => {
  const command = [process.execPath, ATH, 'confirm', ...where].map((part) => `'${part}'`).join(' ')
  const ATH_VAULT_KEY = Buffer.alloc(32, 'user'.charCodeAt(0)).toString('base64url')
  return atTerminal(command, { ATH_VAULT: at('user.vault'), ATH_VAULT_KEY }, answers)
}

/** The choices on the screen, from the top. */
const choicesOn = (screen: string): string[] =>
  [...screen.slice(screen.indexOf('Which code')).matchAll(/[●○>] *([0-9]{2})\b/g)]
    .slice(0, 3)
    .map(([, code]) => code ?? '')

const PICK = /none of these/
const SCOPES = /What may it do\?[\s\S]*order:create/

describe.runIf(hasTerminal)('a person at a terminal', () => {
  test('waits under a spinner, reads the limits, picks the code among three, unticks a scope', async () => {
    const { ended, said } = start('agent', ['connect', ...where, ...wish, '--json'])
    const [, code = ''] = await said(/the code to pick is ([0-9]{2})/)
    const { code: status, screen } = await confirm(
      [PICK, (seen) => DOWN.repeat(choicesOn(seen).indexOf(code)) + ENTER],
      [SCOPES, () => `${DOWN} ${ENTER}`],
    )
    expect(screen).toMatch(/waiting for a question/)
    expect(choicesOn(screen)).toContain(code)
    expect(screen).toMatch(/Limits .*order_amount_limit 100/)
    expect(screen).toContain('“Buy a case \\u{202E} now” (its own words, checked by nobody)')
    expect(screen).toContain('Approved: goods:read')
    expect(status).toBe(0)
    expect((await ended).last).toMatchObject({ ok: true, scopes_granted: ['goods:read'] })
  }, 90_000)

  test('who picks another code denies; who leaves answers nothing', async () => {
    const { ended, said } = start('agent', ['connect', ...where, ...wish, '--json'])
    const [, code = ''] = await said(/the code to pick is ([0-9]{2})/)
    const left = await confirm([PICK, () => CTRL_C])
    expect([left.code, left.screen]).toEqual([130, expect.stringContaining('interrupted')])
    const wrong = await confirm([
      PICK,
      (seen) => DOWN.repeat(choicesOn(seen).findIndex((one) => one !== code)) + ENTER,
    ])
    expect(wrong.screen).toContain('Denied.')
    expect((await ended).last).toMatchObject({ ok: false, error: 'scope_denied' })
  }, 90_000)

  test('is asked for the passphrase, twice for a new vault, and it is not shown', async () => {
    const secret = 'a long passphrase'
    const command = `env -u ATH_VAULT_KEY ATH_VAULT='${at('typed.vault')}' '${process.execPath}' '${ATH}' init`
    const type = () => secret + ENTER
    const { code, screen } = await atTerminal(command, {}, [
      [/passphrase for the new vault/, type],
      [/Once more/, type],
    ])
    expect(code).toBe(0)
    expect(screen).toMatch(/did:ath:z/)
    expect(screen).not.toContain(secret)
    const opened = start('agent', ['did'], '', {
      ATH_VAULT: at('typed.vault'),
      ATH_VAULT_KEY: undefined,
      ATH_PASSPHRASE: secret,
    })
    expect((await opened.ended).status).toBe(0)
  }, 60_000)
})
