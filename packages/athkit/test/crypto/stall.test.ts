import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'

const program = new URL('./stall.mjs', import.meta.url).pathname

/**
 * Decision 011: on Node 20 a key fresh from the generator, exported as a JWK while garbage is collected, waits for itself for ever. Which
 * of them does depends on when the collector comes, so it comes at several paces.
 */
test.each([3, 7, 50])('keys are made while garbage is collected all the time (%i)', async (interval) => {
  const child = spawn(process.execPath, [`--gc-interval=${interval}`, program], { timeout: 25_000 })
  let said = ''
  child.stdout.on('data', (data) => {
    said += data
  })
  await once(child, 'close')
  expect(said).toBe('done\n')
})
