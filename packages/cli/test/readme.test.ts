import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createPeople } from './ath.ts'

const ROOT = new URL('../../../', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'athkit-readme-'))
let typing: number | undefined
afterAll(() => {
  try {
    // With all that it started, where the test ended before it did.
    if (typing !== undefined) process.kill(-typing, 'SIGKILL')
  } catch {
    // All of it is gone.
  }
  rmSync(folder, { recursive: true, force: true })
})

const blockOf = (name: string): string => {
  const found = /<!-- run by packages\/cli\/test\/readme\.test\.ts -->\n```sh\n([\s\S]*?)```/.exec(
    readFileSync(join(ROOT, name), 'utf8'),
  )
  return found?.[1] ?? ''
}
const withoutComments = (block: string): string => block.replaceAll(/ +#.*$/gm, '')

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

/** Somebody who types it all, in a folder of their own: `npm run -s X -- …` is what it runs. */
function typed(block: string, port: number) {
  const script = `
    npm() {
      case "$3" in
        ath) shift 4; node '${join(ROOT, 'tools/ath.mjs')}' "$@" ;;
        shop) shift 4; exec node '${join(ROOT, 'examples/shop/dist/shop.js')}' "$@" ;;
      esac
    }
    set -eu
    trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
    ${block.replaceAll('8443', String(port))}`
  const child = spawn('bash', ['-c', script], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  typing = child.pid
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  return new Promise<{ status: number | null; out: string; err: string }>((resolve) =>
    child.on('close', (status) => resolve({ status, out, err })),
  )
}

test('the path through agent, user and shop in the README works as it stands there', async () => {
  const block = blockOf('README.md')
  expect(withoutComments(blockOf('README.zh.md'))).toBe(withoutComments(block))
  const { status, out, err } = await typed(block, await freePort())
  expect([status, err], out).toEqual([0, expect.stringMatching(/the code to pick is [0-9]{2}/)])
  expect(out).toContain('"Phone Mini"')
  expect(out).toContain('"amount":49')
  expect(out).toMatch(/^m0 {2}user authorization$/m)
  expect(existsSync(join(folder, 'agent.vault'))).toBe(true)
}, 120_000)

test('the agent of five lines shops with what its vault holds', async () => {
  const { at, ath, start, shop, end } = createPeople()
  try {
    const opened = { ATH_VAULT_KEY: undefined, ATH_PASSPHRASE: 'correct horse' }
    const [agent, user] = await Promise.all([
      start('agent', ['init', '--json'], '', opened).ended,
      ath('user', 'init', '--json'),
    ])
    const { origin, server_did: server } = await shop('--enrol', String(user.last.did), '--ask', 'never')
    const client = ['--client', String(agent.last.did), '--scopes', 'goods:read,order:create']
    await ath('user', 'authorize', ...client, '--aud', server, '--aud', origin, '--out', at('m0'))
    expect((await start('agent', ['credential', 'add', at('m0')], '', opened).ended).status).toBe(0)
    const script = join(ROOT, 'examples/shop/dist/five-lines.js')
    const child = spawn(process.execPath, ['--tls-min-v1.3', script, origin, at('agent.vault')], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: at('ca.pem'), ATH_PASSPHRASE: 'correct horse' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.on('data', (data) => {
      out += data
    })
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ found: { goods: expect.any(Array) }, placed: { amount: 49 } })
  } finally {
    end()
  }
}, 60_000)
