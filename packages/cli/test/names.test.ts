import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPeople } from './ath.ts'
import { proxyOf, type RunningRegistry, startRegistry } from './registry.ts'

const people = createPeople()
const { at, ath, start, end } = people
const NAME = 'ai_shopping_assistant_001'
const DID = `did:ath:${NAME}`

let registry: RunningRegistry
const there = () => ['--registry', registry.origin, '--ca', registry.ca]
beforeAll(async () => {
  registry = await startRegistry(people, 'registry')
}, 30_000)
afterAll(end)

const did = (who: string, ...args: string[]) => ath(who, 'did', ...args, '--json')

test('from nothing to a name that is registered, whose keys change, and that ends', async () => {
  const registered = await did('agent', 'register', NAME, ...there())
  expect(registered).toMatchObject({ status: 0, last: { ok: true, did: DID, seq: 0 } })
  const first = registered.last.kid
  // From now on the vault knows where: a handful of words is enough.
  expect((await did('agent')).last).toEqual({ ok: true, did: DID })
  const seen = await did('user', 'resolve', DID, ...there())
  expect(seen.last).toMatchObject({ ok: true, deactivated: false, seq: 0, document: { id: DID } })

  const added = await did('agent', 'add-key', '--for', 'authentication')
  expect(added.last).toMatchObject({ ok: true, seq: 1 })
  expect((await did('agent', 'remove-key')).last).toMatchObject({ ok: true, seq: 2, kid: added.last.kid })
  const rotated = await did('agent', 'rotate', '--alg', 'EdDSA')
  expect(rotated.last).toMatchObject({ ok: true, seq: 3, previous_kid: first })
  expect(rotated.last.kid).not.toBe(first)

  expect((await did('user', 'history', DID, '--out', at('h'), ...there())).last).toMatchObject({
    operations: 4,
  })
  const verified = await did('nobody', 'verify', at('h'))
  expect(verified.last).toMatchObject({ ok: true, did: DID, seq: 3, head: rotated.last.head })
  const kept = JSON.parse(readFileSync(at('h'), 'utf8'))
  kept.operations[2].timestamp++
  writeFileSync(at('forged'), JSON.stringify(kept))
  expect(await did('nobody', 'verify', at('forged'))).toMatchObject({
    status: 6,
    last: { ok: false, error: 'registry_violation', reason: expect.stringContaining('operation 2') },
  })

  expect((await did('agent', 'deactivate')).last).toMatchObject({ ok: true, seq: 4, deactivated: true })
  expect((await did('user', 'resolve', DID, ...there())).last).toMatchObject({
    deactivated: true,
    document: null,
  })
  expect(await did('agent', 'rotate')).toMatchObject({ status: 3, last: { error: 'identity_revoked' } })
}, 60_000)

describe('a name is refused', () => {
  beforeAll(() => did('owner', 'register', 'taken', ...there()), 30_000)

  test.each<[string, string, number, string]>([
    ['that is taken', 'taken', 6, 'out_of_order'],
    ['that differs from another only in case', 'TAKEN', 6, 'out_of_order'],
    ['that decodes as a key', 'zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169', 2, 'usage'],
    ['that looks like a key', `z${'1'.repeat(40)}`, 2, 'usage'],
    ['of another method', 'did:web:shop.example', 2, 'usage'],
  ])(
    '%s',
    async (_, name, status, error) => {
      expect(await did('late', 'register', name, ...there())).toMatchObject({
        status,
        last: { ok: false, error },
      })
    },
    20_000,
  )

  test('and whoever was refused has none; a vault that has one takes no second one, and the same again', async () => {
    expect((await did('late')).last.did).toMatch(/^did:ath:z/)
    expect(await did('owner', 'register', 'another', ...there())).toMatchObject({ status: 2 })
    expect((await did('owner', 'register', 'taken', ...there())).last).toMatchObject({ ok: true, seq: 0 })
  }, 20_000)
})

test('killed after the registry took the new key and before the vault was told, the next run goes on with it', async () => {
  await did('unlucky', 'register', 'unlucky', ...there())
  let running: ReturnType<typeof start> | undefined
  const proxy = await proxyOf(registry, () => {
    running?.child.kill('SIGKILL')
    return 'swallow'
  })
  try {
    writeFileSync(at('proxy.pem'), proxy.ca)
    running = start('unlucky', [
      'did',
      'rotate',
      '--registry',
      proxy.origin,
      '--ca',
      at('proxy.pem'),
      '--json',
    ])
    expect((await running.ended).status).toBeNull()
  } finally {
    proxy.close()
  }
  const after = await did('user', 'resolve', 'did:ath:unlucky', ...there())
  expect(after.last).toMatchObject({ seq: 1 })
  const rotated = await did('unlucky', 'rotate')
  expect(rotated.last).toMatchObject({ ok: true, seq: 1, head: after.last.head })
  // What the vault speaks with now is what the registry has: it can sign the next change.
  expect((await did('unlucky', 'rotate')).last).toMatchObject({
    ok: true,
    seq: 2,
    previous_kid: rotated.last.kid,
  })
}, 60_000)

test('a controlling key that is kept outside the vault is needed for every change', async () => {
  const key = at('control.pem')
  await did('careful', 'register', 'careful', '--controller', key, ...there())
  expect(await did('careful', 'rotate')).toMatchObject({
    status: 2,
    last: { error: 'usage', reason: expect.stringContaining('--sign-with') },
  })
  expect((await did('careful', 'rotate', '--sign-with', key)).last).toMatchObject({ ok: true, seq: 1 })
  // A key that was stolen is taken away by whoever has that one.
  const spare = await did('careful', 'add-key', '--key', at('spare.pem'), '--sign-with', key)
  expect((await did('careful', 'remove-key', String(spare.last.kid), '--sign-with', key)).last).toMatchObject(
    { seq: 3 },
  )
}, 60_000)

test('a registry that goes back behind what somebody saw is found out by them, in another run', async () => {
  const before = await startRegistry(people, 'honest')
  const [host, ca] = [
    ['--registry', before.origin],
    ['--ca', before.ca],
  ]
  await did('victim', 'register', 'victim', ...host, ...ca)
  await before.stop()
  copyFileSync(at('honest.db'), at('rolled-back.db'))
  const port = new URL(before.origin).port
  const honest = await startRegistry(people, 'honest', ['--port', port])
  await did('victim', 'rotate', ...host, '--ca', honest.ca)
  expect((await did('user', 'resolve', 'did:ath:victim', ...host, '--ca', honest.ca)).last).toMatchObject({
    seq: 1,
  })
  await honest.stop()
  const liar = await startRegistry(people, 'rolled-back', ['--port', port])
  expect(await did('user', 'resolve', 'did:ath:victim', ...host, '--ca', liar.ca)).toMatchObject({
    status: 6,
    last: { error: 'registry_violation', reason: expect.stringContaining('rolled back') },
  })
  await liar.stop()
  expect(await did('user', 'resolve', 'did:ath:victim', ...host, '--ca', liar.ca)).toMatchObject({
    status: 5,
    last: { error: 'transport_failed' },
  })
}, 60_000)

test.each<[string[], string]>([
  [['resolve', 'did:ath:x'], '--registry'],
  [['register', 'x', '--registry', 'http://localhost:1'], 'https'],
  [['rotate', '--registry', 'https://localhost:1'], 'has no name'],
  [['resolve', 'x', '--registry', 'https://localhost:1'], 'no DID'],
])(
  '%j: one sentence, and status 2',
  async (args, word) => {
    await ath('typist', 'init')
    const { status, err } = await ath('typist', 'did', ...args)
    expect(status).toBe(2)
    expect(err).toContain(word)
  },
  20_000,
)

test('a page on the web instead of a registry: the document to publish, and the vault that speaks for it', async () => {
  const written = await did('company', 'web', 'shop.example:8443/agents/one', '--out', at('did.json'))
  const name = 'did:web:shop.example%3A8443:agents:one'
  expect(written.last).toMatchObject({
    ok: true,
    did: name,
    url: 'https://shop.example:8443/agents/one/did.json',
  })
  const document = JSON.parse(readFileSync(at('did.json'), 'utf8'))
  expect(document).toMatchObject({ id: name, authentication: [expect.stringContaining(`${name}#z`)] })
  expect((await did('company')).last).toEqual({ ok: true, did: name })
  expect(await did('company', 'web', '10.0.0.1', '--out', at('no.json'))).toMatchObject({ status: 2 })
}, 30_000)
