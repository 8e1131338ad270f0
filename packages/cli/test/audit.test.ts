import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createPeople } from './ath.ts'

const { at, ath, shop, end } = createPeople()

let service: { origin: string; server_did: string }
let agentDid = ''
let userDid = ''
const store = () => ['--store', `sqlite:${at('shop.db')}`]
const audit = (...args: string[]) => ath('operator', 'audit', ...args)
const signed = () => ['--did', service.server_did]

beforeAll(async () => {
  const [agent, user] = await Promise.all([ath('agent', 'init', '--json'), ath('user', 'init', '--json')])
  agentDid = String(agent.last.did)
  userDid = String(user.last.did)
  service = await shop('--enrol', userDid, '--ask', 'never', '--db', at('shop.db'))
  const scopes = ['--scopes', 'goods:read,order:create']
  const m0 = ['--client', agentDid, ...scopes, '--aud', service.server_did, '--out', at('m0'), '--json']
  await ath('user', 'authorize', ...m0)
  const trust = ['--ca', at('ca.pem'), '--server', service.server_did, '--authorization', at('m0')]
  const connected = await ath('agent', 'connect', service.origin, ...trust, ...scopes, '--keep', '--json')
  expect(connected).toMatchObject({ status: 0 })
  expect(await ath('agent', 'request', 'GET /api/profile', '--json')).toMatchObject({ status: 4 })
  // The entries of the last moment get their places.
  await vi.waitFor(
    async () => expect((await audit('query', ...store())).out).toContain('sealed request refused'),
    { timeout: 20_000, interval: 300 },
  )
  expect(await audit('export', ...store(), '--out', at('log.jsonl'), '--json')).toMatchObject({ status: 0 })
}, 60_000)
afterAll(end)

describe('the operator reads what the service has written down', { timeout: 30_000 }, () => {
  test('all of it, a line each, and no secret', async () => {
    const { out } = await audit('export', ...store())
    const lines = out.trim().split('\n')
    expect(lines.length).toBeGreaterThan(8)
    for (const line of lines) expect(JSON.parse(line).process).toMatch(/^p_/)
    expect(out).not.toMatch(/eyJ[\w-]+\.eyJ|PRIVATE/)
  })

  test('by who, what and when, in words and in JSON', async () => {
    const names = async (...query: string[]) =>
      ((await audit('query', ...store(), ...query, '--json')).last.entries as { event: string }[]).map(
        ({ event }) => event,
      )
    expect(await names('--agent', agentDid, '--event', 'token issued')).toEqual(['token issued'])
    expect(await names('--user', userDid, '--since', '2020-01-01T00:00:00Z')).toContain('scopes decided')
    expect(await names('--until', '2020-01-01')).toEqual([])
    const { out } = await audit('query', '--file', at('log.jsonl'), '--event', 'sealed request refused')
    expect(out).toContain('scope_denied')
  })

  test('and verifies it, in the store and in a file', async () => {
    expect(await audit('verify', '--file', at('log.jsonl'), '--json')).toMatchObject({
      status: 0,
      last: { ok: true, findings: [] },
    })
    expect((await audit('verify', ...store(), ...signed())).out).toMatch(/^Whole: \d+ entries in 1 chains/)
  })

  test('what was removed, altered, moved or cut is named, and the status says so', async () => {
    const lines = readFileSync(at('log.jsonl'), 'utf8').trim().split('\n')
    const found = async (edited: readonly string[], ...more: string[]) => {
      writeFileSync(at('edited.jsonl'), edited.join('\n'))
      const { status, last } = await audit('verify', '--file', at('edited.jsonl'), ...more, '--json')
      const [finding] = last.findings as { kind: string; seq: number }[]
      return [status, finding?.kind, finding?.seq]
    }
    const [a = '', , c = '', ...rest] = lines
    expect(await found([a, c, ...rest])).toEqual([6, 'removed', 1])
    writeFileSync(at('odd.jsonl'), 'not JSON')
    expect((await audit('verify', '--file', at('odd.jsonl'))).status).toBe(2)
  })
})
