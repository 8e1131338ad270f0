import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPeople } from './ath.ts'

const { at, ath, start, end } = createPeople()
const inspect = (input: string | Uint8Array, ...args: string[]) =>
  start('agent', ['inspect', ...args], input).ended

interface Item {
  readonly kind: string
  readonly within?: string
  readonly content: Record<string, unknown>
  readonly findings: { readonly check: string; readonly rule: string; readonly verdict: string }[]
}
const itemsIn = (last: Record<string, unknown>) => last.items as Item[]

const { cases } = JSON.parse(
  readFileSync(new URL('../../../vectors/transcript.json', import.meta.url), 'utf8'),
)
const { input } = cases.find(({ name }: { name: string }) => name === 'confirmed in part')
const KINDS = ['m1', 'm2', 'm3', 'm4', 'm5', 'pending', 'm6', 'm7', 'm8', 'm9a', 'm9b']
const handshake = KINDS.map((kind) => input[kind])
const WHEN = ['--at', String(input.now), '--audience', input.audience, '--server', input.pins[0]]

let agentDid = ''
beforeAll(async () => {
  const [agent] = await Promise.all([ath('agent', 'init', '--json'), ath('user', 'init')])
  agentDid = String(agent.last.did)
}, 30_000)
afterAll(end)

describe('ath inspect', () => {
  test('a whole handshake, from a file or message by message: every check that can be made holds', async () => {
    writeFileSync(at('all.json'), JSON.stringify(handshake))
    const files = KINDS.map((kind) => {
      writeFileSync(at(`${kind}.json`), JSON.stringify(input[kind], null, 2))
      return at(`${kind}.json`)
    })
    const [whole, parts, lines] = await Promise.all([
      inspect('', at('all.json'), ...WHEN, '--json'),
      inspect('', ...files, ...WHEN, '--json'),
      inspect(handshake.map((message) => JSON.stringify(message)).join('\n'), ...WHEN, '--json'),
    ])
    expect([whole.status, whole.last.ok]).toEqual([0, true])
    expect(parts.last).toEqual(whole.last)
    expect(lines.last).toEqual(whole.last)
    const items = itemsIn(whole.last)
    expect(items.map(({ kind, within = '' }) => `${kind}${within}`)).toEqual(
      'm1 m2 m3 m4 m5 m0m5 202 m6 m7 m8 m9a m9b access_tokenm9b'.split(' '),
    )
    // What is left open is what nobody but the service, or the session, knows.
    const open = items.flatMap(({ findings }) => findings.filter(({ verdict }) => verdict === 'open'))
    expect(open.map(({ check }) => check)).toEqual([
      'its user is enrolled there',
      'not revoked, not used up',
      'session id is that of the session',
    ])
    // Decoded, and neither the credential nor the token whole.
    expect(items.at(-1)?.content).toHaveProperty('claims.cnf.ath_sid')
    expect(whole.out).not.toMatch(/eyJ[A-Za-z0-9_-]+\.eyJ/)
  }, 30_000)

  test('a message alone: what it takes to say more is said', async () => {
    const { status, out } = await inspect(JSON.stringify(input.m2), '--at', String(input.now))
    expect(status).toBe(0)
    expect(out).toMatch(/^m2 {2}handshake response$/m)
    expect(out).toMatch(/✓ timestamp within 300 s +ATH-6$/m)
    expect(out).toMatch(/\? signature over the nonce of m1 +ATH-6\.1\.3 +takes m1$/m)
    expect(out).toMatch(/\? it is the server that is meant +ATH-6\.1\.5 +takes --server/m)
  }, 20_000)

  test('what is broken: by name, rule and reason, and a status by its kind', async () => {
    const now = await inspect(JSON.stringify(handshake), '--audience', input.audience, '--json')
    expect(now.last).toMatchObject({ ok: false, error: 'timestamp_skew', rule: 'ATH-6' })
    expect(now.status).toBe(3)
    const altered = { ...input.m2, timestamp: input.m2.timestamp - 1 }
    const changed = await inspect(JSON.stringify([input.m1, altered]), ...WHEN, '--json')
    expect(changed.last).toMatchObject({ ok: false, error: 'nonce_mismatch', rule: 'ATH-6.1.1' })
    const twice = await inspect('{"type":"error","type":"error"}', '--json')
    expect(twice.last).toEqual({
      ok: false,
      error: 'malformed_message',
      rule: 'ATH-1.5',
      reason: 'duplicate member name',
    })
    expect(twice.status).toBe(6)
    const unknown = await inspect('{"type":"hello"}')
    expect([unknown.status, unknown.err]).toEqual([6, expect.stringContaining('ATH-1.1')])
  }, 30_000)

  test('a credential that was just signed: JWT, in a file or behind Bearer', async () => {
    const args = [
      '--client',
      agentDid,
      '--scopes',
      'a:b',
      '--aud',
      'https://shop.example/',
      '--out',
      at('m0'),
    ]
    expect((await ath('user', 'authorize', ...args)).status).toBe(0)
    const good = await inspect('', at('m0'), '--audience', 'https://shop.example', '--json')
    expect(good.last.ok).toBe(true)
    expect(itemsIn(good.last)[0]?.content).toMatchObject({
      claims: { scopes: ['a:b'], aud: ['https://shop.example'] },
    })
    const elsewhere = await inspect(
      `Bearer ${readFileSync(at('m0'), 'utf8')}`,
      '--audience',
      'https://bank.example',
    )
    expect([elsewhere.status, elsewhere.err]).toEqual([
      3,
      expect.stringMatching(/credential_invalid: .*ATH-6\.2\.3/),
    ])
    const later = String(Math.floor(Date.now() / 1000) + 8000)
    const ended = await inspect('', at('m0'), '--at', later, '--json')
    expect(ended.last).toMatchObject({ ok: false, error: 'credential_expired', rule: 'ATH-6.2.3' })
  }, 30_000)

  test('sealed bytes, raw, in hex and in base64url; a header alone', async () => {
    const sealed = JSON.parse(readFileSync(new URL('../../../vectors/sealed.json', import.meta.url), 'utf8'))
    const open = sealed.cases.find(({ name }: { name: string }) => name === 'open: three records')
    const bytes = Buffer.from(open.input.bytes, 'base64url')
    for (const form of [bytes, bytes.toString('hex'), bytes.toString('base64url')]) {
      const { last } = await inspect(form, '--json')
      const records = [expect.any(Number), expect.any(Number), expect.any(Number)]
      expect(itemsIn(last)[0]?.content).toMatchObject({
        epoch: expect.any(Number),
        seq: expect.any(Number),
        records,
      })
    }
    expect((await inspect(bytes.subarray(0, 45), '--json')).last.ok).toBe(true)
    expect((await inspect(bytes.subarray(0, -1), '--json')).last).toMatchObject({
      ok: false,
      rule: 'ATH-7.2',
    })
  }, 30_000)

  test.concurrent.each([
    ['nothing that can be read', 'hello', [], 'nothing in it can be read'],
    ['JSON that is no message', '[1]', [], 'no message'],
    ['two handshakes at once', JSON.stringify([input.m1, input.m1]), [], 'one handshake at a time'],
    ['a file that is not there', '', ['/nowhere'], '/nowhere cannot be read'],
    ['an audience that is none', '{}', ['--audience', 'shop'], 'https://shop.example'],
  ])('%s: one sentence, and status 2', async (_, text, args, sentence) => {
    const { status, out, err } = await inspect(text, ...args)
    expect([status, out]).toEqual([2, ''])
    expect(err).toContain(sentence)
  })
})
