import { afterEach, expect, test, vi } from 'vitest'
import { HANDSHAKE_PRIMITIVES } from '../../../../bench/src/handshake-primitives.ts'
import { port } from '../../src/crypto/port.ts'
import { ASK_NOBODY, agentOf, shop } from './shop.ts'

const OPERATIONS = ['sign', 'verify', 'generateShare', 'agree', 'hmac', 'sha256'] as const
const IMPORTS = ['importPublic', 'importPkcs8', 'generateKeyPair', 'seal', 'open'] as const

afterEach(() => vi.restoreAllMocks())

/** Counts what the service asks of the platform's cryptography while it handles requests, and not what the agent does meanwhile. */
function counted() {
  const spies = new Map([...OPERATIONS, ...IMPORTS].map((name) => [name, vi.spyOn(port, name)]))
  const sums = new Map<string, number>()
  return {
    sums,
    async within<T>(work: () => Promise<T>): Promise<T> {
      for (const spy of spies.values()) spy.mockClear()
      const result = await work()
      for (const [name, spy] of spies) sums.set(name, (sums.get(name) ?? 0) + spy.mock.calls.length)
      return result
    },
  }
}

test('a handshake costs the service its signatures, its key exchange and eight hashes, each once', async () => {
  const at = await shop(ASK_NOBODY)
  // An agent that was here before: its keys are known.
  const earlier = await agentOf(at)
  const scopes = await earlier.m5()
  await earlier.post([earlier.m3, scopes, await earlier.m9a(scopes)])

  const { sums, within } = counted()
  const { call } = at
  const agent = await agentOf({ ...at, call: (...given) => within(() => call(...given)) })
  const m5 = await agent.m5()
  const m9a = await agent.m9a(m5)
  const { status } = await agent.post([agent.m3, m5, m9a])
  expect(status).toBe(200)

  const { random: _, ...expected } = HANDSHAKE_PRIMITIVES
  expect(Object.fromEntries(OPERATIONS.map((name) => [name, sums.get(name)]))).toEqual(expected)
  for (const name of IMPORTS) expect([name, sums.get(name)]).toEqual([name, 0])
})
