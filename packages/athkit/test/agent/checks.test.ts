import { describe, expect, test } from 'vitest'
import { SERVER_CHECKS } from '../../src/handshake/index.ts'
import { NOW, party, refusal, type WorldOptions, world } from './world.ts'

const other = await party()
const NAMES = SERVER_CHECKS.map(({ name }) => name)

describe('the checks of m2, each by its name (ATH-6.1.5)', () => {
  test('their order', () => {
    expect(NAMES).toEqual([
      'shape',
      'timestamp within 300 s',
      'version and capabilities',
      'DID resolves to the key',
      'server is anchored',
      'signature over our nonce',
      'its nonce commits to us',
    ])
  })

  test('those that pass are told', async () => {
    const { connect, steps } = await world()
    await connect()
    const told = steps.find((step) => step.type === 'verified' && step.message === 'm2')
    expect(told).toMatchObject({ checks: SERVER_CHECKS })
  })

  const cases: [string, WorldOptions][] = [
    ['shape', { m2: ({ nonce: _, ...m2 }) => m2 }],
    ['timestamp within 300 s', { m2: (m2) => ({ ...m2, timestamp: NOW - 301 }) }],
    ['version and capabilities', { m2: (m2) => ({ ...m2, version: '0.2' }) }],
    ['DID resolves to the key', { m2: (m2) => ({ ...m2, server_did: other.did }) }],
    ['server is anchored', { audience: null }],
    ['signature over our nonce', { m2: (m2) => ({ ...m2, signature: 'A'.repeat(86) }) }],
    ['its nonce commits to us', { m2Options: (given) => ({ ...given, audience: 'https://bank.example' }) }],
  ]

  test.each(cases)('the one that fails is told, and those before it: %s', async (name, options) => {
    const { connect, steps, identity } = await world(options)
    const error = await refusal(connect())
    const told = steps.at(-1)
    expect(told).toMatchObject({ type: 'refused', message: 'm2', error, check: { name } })
    expect(told).toMatchObject({ passed: SERVER_CHECKS.slice(0, NAMES.indexOf(name as never)) })
    expect(identity.signed()).toBe(0)
  })

  test('each is made before the next: of two that fail, the first is told', async () => {
    for (const [at, [name, options]] of cases.entries()) {
      for (const [, later] of cases.slice(at + 1)) {
        // Edits of m2 are made one after the other.
        const m2: WorldOptions['m2'] = async (message, context) =>
          (await options.m2?.(((await later.m2?.(message, context)) ?? message) as never, context)) ??
          (await later.m2?.(message, context)) ??
          message
        const { connect, steps } = await world({ ...later, ...options, m2 })
        await refusal(connect())
        expect(steps.at(-1)).toMatchObject({ type: 'refused', check: { name } })
      }
    }
  })
})

describe('what fails later is told by its message and its rule', () => {
  const cases: [string, string, WorldOptions][] = [
    ['m4', 'ATH-6', { m4: (m4) => ({ ...m4, timestamp: NOW - 301 }) }],
    ['202', 'ATH-6.3.3', { polls: 1, pending: (pending) => ({ ...pending, expires_at: NOW + 3600 }) }],
    ['m8', 'ATH-6.4.2', { m8: (m8) => ({ ...m8, ttl_granted: 7201 }) }],
    ['m9b', 'ATH-2.2', { m9b: (m9b) => ({ ...m9b, cipher_suite: 'CHACHA20-POLY1305' }) }],
  ]
  test.each(cases)('%s, %s', async (message, rule, options) => {
    const { connect, steps } = await world(options)
    await refusal(connect())
    expect(steps.at(-1)).toMatchObject({ type: 'refused', message, check: { rule } })
  })
})
