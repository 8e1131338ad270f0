import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

test('MCP over ATH: tools by scope, calls, a streamed result', async () => {
  const script = new URL('../dist/start.js', import.meta.url).pathname
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect([code, err.replaceAll(/^athkit: skipUserConfirmation: .*\n/gm, '')]).toEqual([0, ''])
  expect(out).toContain('with goods:read:     search_goods, follow_order; place_order: scope_denied')
  expect(out).toContain('beyond 5000: restriction_violated')
  expect(out).toMatch(/followed as it went: received.*, cancelled$/m)
}, 60_000)
