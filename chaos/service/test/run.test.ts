import { expect, test } from 'vitest'
import { runChaos } from '../src/run.ts'

/** The shop's own processes over TLS 1.3, behind the balancer, encrypted at rest; `npm run chaos` does it for longer. */
test('two shops on one store, killed in turn, lose, double and accept nothing', {
  timeout: 120_000,
}, async () => {
  const said: string[] = []
  const options = { store: 'sqlite', nodes: 2, seconds: 6, killEverySeconds: 2, agents: 2 } as const
  const counts = await runChaos(options, (text) => said.push(text))
  expect(said).toEqual([])
  expect(counts).toMatchObject({
    orders_lost: 0,
    orders_doubled: 0,
    replays_accepted: 0,
    audit_entries_lost: 0,
    audit_findings: 0,
    unclear_errors: 0,
  })
  expect(counts.kills).toBeGreaterThanOrEqual(1)
  for (const some of [counts.handshakes, counts.orders, counts.replays]) expect(some).toBeGreaterThan(0)
})
