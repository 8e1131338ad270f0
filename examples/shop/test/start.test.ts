import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const run = (...args: string[]) =>
  new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const script = new URL('../dist/start.js', import.meta.url).pathname
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, err] = ['', '']
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      err += data
    })
    child.on('exit', (code) => resolve({ code, out, err }))
  })

test('the user approves: nine steps, an order within the limit, one beyond it refused', async () => {
  const { code, out, err } = await run('--yes')
  expect([code, err]).toEqual([0, ''])
  for (const step of ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    expect(out).toMatch(new RegExp(`^ ${step} `, 'm'))
  expect(out).toContain('automatically: nobody is at the terminal')
  expect(out).toContain('Order of 2999: 201. Order of 5998, beyond 5000: restriction_violated.')
}, 30_000)

test('the user denies', async () => {
  const { code, out } = await run('--deny')
  expect(code).toBe(0)
  expect(out).toContain('Granted: nothing.')
}, 30_000)

test('the user narrows', async () => {
  const { code, out } = await run('--only', 'goods:read')
  expect(code).toBe(0)
  expect(out).toContain('Order of 2999: scope_denied.')
}, 30_000)

test('the user leaves out the search', async () => {
  const { code, out, err } = await run('--only', 'order:create')
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('searches for a phone: refused by the shop, scope_denied')
  expect(out).toContain('Granted: order:create. Order of 2999: 201.')
}, 30_000)

test('an option that does not exist is named, with those that do', async () => {
  const { code, err } = await run('--denny')
  expect(code).toBe(2)
  expect(err).toContain("Unknown option '--denny'")
  expect(err).toContain('Usage: npm start')
  expect(err).not.toContain('    at ')
})

test('what deviates ends with another status', async () => {
  const { code, err } = await run('--only', 'user:profile')
  expect(code).toBe(1)
  expect(err).toContain('Not as it should be')
}, 30_000)

test.each(['README.md', 'README.zh.md'])('the snippets of %s stand in files that run', (name) => {
  const root = new URL('../../../', import.meta.url)
  const readme = readFileSync(new URL(name, root), 'utf8')
  const snippets = [...readme.matchAll(/<!-- from (\S+) -->\n```ts\n([\s\S]*?)```/g)]
  expect(snippets.length).toBeGreaterThanOrEqual(2)
  const flat = (text: string) => text.replaceAll(/\s+/g, ' ').trim()
  for (const [, file, snippet] of snippets) {
    expect(flat(readFileSync(new URL(file as string, root), 'utf8'))).toContain(flat(snippet as string))
  }
})

test('both READMEs say the same commands and point to files that are there', () => {
  const root = new URL('../../../', import.meta.url)
  const [english, chinese] = ['README.md', 'README.zh.md'].map((name) => {
    const text = readFileSync(new URL(name, root), 'utf8')
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link as string)
    for (const link of links) expect(existsSync(new URL(link, root)), link).toBe(true)
    const commands = [...text.matchAll(/^(npm [^#\n]+?) *(?:#|$)/gm)].map(([, command]) => command)
    return { commands, links: links.filter((link) => !link.startsWith('README')) }
  })
  expect(chinese).toEqual(english)
  expect(english?.commands).toContain('npm ci && npm start')
})
