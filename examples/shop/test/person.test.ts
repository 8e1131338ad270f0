import { type ChildProcess, spawn } from 'node:child_process'
import { afterEach, describe, expect, test } from 'vitest'
import { hasTerminal } from '../../../packages/cli/test/terminal.ts'

let child: ChildProcess | undefined
afterEach(() => {
  child?.kill('SIGKILL')
})

/** Runs `npm start` at a terminal; a person answers each prompt once it is there. Resolves with what was on the screen. */
function atTerminal(answers: readonly (readonly [prompt: RegExp, answer: (screen: string) => string])[]) {
  const script = new URL('../dist/start.js', import.meta.url).pathname
  const running = spawn('script', ['-qfec', `"${process.execPath}" "${script}"`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child = running
  const left = [...answers]
  let screen = ''
  running.stdout.on('data', (data) => {
    screen += data
    const [next] = left
    if (next === undefined || !next[0].test(screen)) return
    left.shift()
    running.stdin.write(next[1](screen))
  })
  return new Promise<{ code: number | null; screen: string }>((resolve) =>
    running.on('close', (code) => resolve({ code, screen })),
  )
}

const PICK = /Which code does it show\? .*denies\)/
const APPROVE = /Approve all \(Enter\)/
const shown = (screen: string) => /shows the code ([0-9]{2})/.exec(screen)?.[1] ?? 'no code'

describe.runIf(hasTerminal)('a person at the terminal', () => {
  test('picks the code among three and approves', async () => {
    const { code, screen } = await atTerminal([
      [PICK, (seen) => `${shown(seen)}\r`],
      [APPROVE, () => '\r'],
    ])
    const choices = /show\? ([0-9]{2}) {2}([0-9]{2}) {2}([0-9]{2}) /.exec(screen)?.slice(1)
    expect(new Set(choices).size).toBe(3)
    expect(choices).toContain(shown(screen))
    expect(screen).toContain('[1] goods:read')
    expect(screen).toContain('Granted: goods:read, order:create. Order of 2999: 201.')
    expect(screen).not.toContain('automatically')
    expect(code).toBe(0)
  }, 30_000)

  test('unticks a scope', async () => {
    const { code, screen } = await atTerminal([
      [PICK, (seen) => `${shown(seen)}\r`],
      [APPROVE, () => '2\r'],
    ])
    expect(screen).toContain('Granted: goods:read. Order of 2999: scope_denied.')
    expect(code).toBe(0)
  }, 30_000)

  test.each([
    ['picks another code', () => '100\r'],
    ['leaves', () => '\x04'],
  ])(
    '%s, and nothing is granted',
    async (_, answer) => {
      const { code, screen } = await atTerminal([[PICK, answer]])
      expect(screen).toContain('Granted: nothing.')
      expect(screen).not.toMatch(/AbortError|node:internal/)
      expect(code).toBe(0)
    },
    30_000,
  )

  test('denies', async () => {
    const { code, screen } = await atTerminal([
      [PICK, (seen) => `${shown(seen)}\r`],
      [APPROVE, () => 'd\r'],
    ])
    expect(screen).toContain('Granted: nothing.')
    expect(code).toBe(0)
  }, 30_000)
})
