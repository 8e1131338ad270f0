import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LocalCertificates, makeLocalCertificates } from '../src/loopback/certificates.ts'
import { createPeople } from './ath.ts'
import { startHostile } from './hostile-server.ts'

const { at, ath, start, end } = createPeople()
let certificates: LocalCertificates
let agentDid = ''

beforeAll(async () => {
  certificates = await makeLocalCertificates()
  writeFileSync(at('ca.pem'), certificates.ca)
  const [agent] = await Promise.all([ath('agent', 'init', '--json'), ath('user', 'init')])
  agentDid = String(agent.last.did)
  const client = ['--client', agentDid, '--scopes', 'goods:read,order:create']
  await ath('user', 'authorize', ...client, '--out', at('m0'))
  writeFileSync(at('nothing'), '')
  writeFileSync(at('text'), 'hello')
  writeFileSync(at('half.json'), '{"client_did":')
  writeFileSync(at('other.json'), '{"client_did":"did:ath:x"}')
  mkdirSync(at('folder'))
}, 60_000)
afterAll(end)

const URL_ = 'https://127.0.0.1:1'
const SCOPES = ['--scopes', 'goods:read']
const authorize = (...args: string[]) => ['authorize', ...args, '--out', at('out')]

describe.concurrent('a mistake is one sentence, and says what is right', () => {
  test.each<[what: string, args: () => string[], sentence: RegExp]>([
    ['no command', () => ['conect'], /unknown command 'conect'/],
    [
      'an address without https',
      () => ['connect', 'http://shop.example', ...SCOPES],
      /write it as https:\/\//,
    ],
    ['scopes of no form', () => ['connect', URL_, '--scopes', 'read'], /resource:action/],
    ['a DID that is none', () => ['connect', URL_, ...SCOPES, '--server', 'shop'], /shop is no DID/],
    [
      'a file of certificates that is not there',
      () => ['connect', URL_, ...SCOPES, '--ca', at('gone')],
      /gone cannot be read: there is no such file/,
    ],
    [
      'a file without certificates',
      () => ['connect', URL_, ...SCOPES, '--authorization', at('m0'), '--ca', at('text')],
      /BEGIN CERTIFICATE/,
    ],
    [
      'an empty credential',
      () => ['connect', URL_, ...SCOPES, '--authorization', at('nothing')],
      /nothing is no credential: give the file that ath authorize wrote/,
    ],
    ['a credential that is text', () => ['credential', 'add', at('text')], /text is no credential/],
    ['a credential that is a folder', () => ['credential', 'add', at('folder')], /it is a folder/],
    [
      'restrictions that are no JSON',
      () => authorize('--client', agentDid, ...SCOPES, '--restrictions', '{limit:1}'),
      /--restrictions is not JSON/,
    ],
    ['half a request', () => authorize('--request', at('half.json')), /half.json is not JSON/],
    [
      'another file than a request',
      () => authorize('--request', at('other.json')),
      /request-authorization writes/,
    ],
    [
      'an audience that would never match',
      () => authorize('--client', agentDid, ...SCOPES, '--aud', 'shop.example'),
      /https:\/\/shop\.example/,
    ],
    [
      'a file that cannot be written',
      () => [
        'authorize',
        '--client',
        agentDid,
        ...SCOPES,
        '--aud',
        'https://a.example',
        '--out',
        at('no/where'),
      ],
      /cannot be written: there is no such file or folder/,
    ],
    ['a request that is none', () => ['request', 'api/goods'], /write a method and a path/],
    ['nothing to take back', () => ['revoke', URL_, '--server', agentDid], /one of --credential/],
    ['nobody at the terminal', () => ['confirm', URL_, '--server', agentDid], /--approve, --deny or --only/],
  ])(
    '%s',
    async (_, args, sentence) => {
      const { status, out, err } = await ath('agent', ...args())
      expect([status, out]).toEqual([2, ''])
      expect(err).toMatch(sentence)
      expect(err).not.toMatch(/ at .*:[0-9]+:[0-9]+/)
    },
    60_000,
  )

  test('with --json it is one line as well', async () => {
    const unknown = await ath('agent', 'connect', URL_, ...SCOPES, '--json', '--nonsense')
    expect([unknown.status, unknown.last]).toEqual([
      2,
      { ok: false, error: 'usage', reason: expect.stringContaining('--nonsense') },
    ])
    const wrong = await ath('agent', 'connect', URL_, '--scopes', 'read', '--json')
    expect(wrong.last).toMatchObject({
      ok: false,
      error: 'usage',
      reason: expect.stringContaining('resource:action'),
    })
  }, 60_000)

  test('a credential for another agent, or that has ended, does not come into the vault', async () => {
    const foreign = await ath('user', 'credential', 'add', at('m0'))
    expect([foreign.status, foreign.err]).toEqual([2, expect.stringContaining(`is for ${agentDid}`)])
    const claims = {
      client_did: agentDid,
      user_did: agentDid,
      scopes: ['a:b'],
      expires_at: 1,
      signature: 'AA',
    }
    writeFileSync(at('ended.json'), JSON.stringify(claims))
    const ended = await ath('agent', 'credential', 'add', at('ended.json'))
    expect([ended.status, ended.err]).toEqual([2, expect.stringContaining('has ended')])
  }, 60_000)

  test('a service that is not there, or whose authority is not trusted', async () => {
    const none = await ath('agent', 'connect', URL_, ...SCOPES, '--authorization', at('m0'))
    expect([none.status, none.err]).toEqual([
      5,
      expect.stringMatching(/ECONNREFUSED.*\n.*check the address and the port/),
    ])
    const server = await startHostile(certificates, {})
    try {
      const wish = [...SCOPES, '--authorization', at('m0'), '--server', server.serverDid]
      const distrusted = await ath('agent', 'connect', server.origin, ...wish)
      expect([distrusted.status, distrusted.err]).toEqual([
        5,
        expect.stringContaining('give that with --ca FILE'),
      ])
      const waiting = await ath(
        'user',
        'confirm',
        server.origin,
        '--server',
        server.serverDid,
        '--deny',
        '--wait',
        '1',
      )
      expect([waiting.status, waiting.err]).toEqual([5, expect.stringContaining('give that with --ca FILE')])
    } finally {
      server.close()
    }
  }, 90_000)
})

describe.concurrent('the vault', () => {
  const did = (env: NodeJS.ProcessEnv) => start('agent', ['did', '--json'], '', env).ended

  test('that is missing is not made by the way', async () => {
    const { status, last } = await did({ ATH_VAULT: at('mistyped') })
    expect([status, last.error]).toEqual([7, 'vault_missing'])
    expect(existsSync(at('mistyped'))).toBe(false)
  }, 60_000)

  test('that is damaged, or no vault', async () => {
    const text = readFileSync(at('agent.vault'), 'utf8')
    writeFileSync(at('damaged'), text.replace(/"sealed":"..../, '"sealed":"AAAA'))
    const damaged = await did({ ATH_VAULT: at('damaged') })
    expect([damaged.status, damaged.last.error]).toEqual([7, 'vault_damaged'])
    const folder = await did({ ATH_VAULT: at('folder') })
    expect([folder.status, folder.last]).toEqual([
      2,
      { ok: false, error: 'usage', reason: expect.stringContaining('it is a folder') },
    ])
  }, 60_000)

  test('opens with its passphrase alone, which is neither shown nor passed on', async () => {
    const env = { ATH_VAULT: at('passphrase'), ATH_VAULT_KEY: undefined }
    const right = { ...env, ATH_PASSPHRASE: 'correct horse' }
    expect((await start('agent', ['init'], '', right).ended).status).toBe(0)
    expect((await did(right)).status).toBe(0)
    const wrong = await start('agent', ['did'], '', { ...env, ATH_PASSPHRASE: 'battery staple' }).ended
    expect([wrong.status, wrong.out]).toEqual([7, ''])
    expect(wrong.err).toMatch(/vault_locked.*\n.*ATH_PASSPHRASE/)
    expect(wrong.err).not.toContain('battery')
    const none = await did(env)
    expect([none.status, none.last.error]).toEqual([2, 'usage'])
    expect((await did({ ATH_VAULT_KEY: 'short' })).status).toBe(2)
  }, 60_000)
})

describe.concurrent('stopped, or not listened to', () => {
  test('Ctrl-C while a request runs: the session is ended, status 130', async () => {
    const server = await startHostile(certificates, { app: () => new Promise<never>(() => undefined) })
    try {
      const where = [server.origin, '--ca', at('ca.pem'), '--server', server.serverDid]
      const wish = [...SCOPES, '--authorization', at('m0'), '--request', 'GET /x', '--json']
      const { child, ended } = start('agent', ['connect', ...where, ...wish])
      await expect.poll(server.served, { timeout: 30_000 }).toEqual(['/x'])
      child.kill('SIGINT')
      const { status, last } = await ended
      expect(last).toMatchObject({
        ok: false,
        error: 'interrupted',
        scopes_granted: ['goods:read'],
        responses: [],
      })
      expect(status).toBe(130)
      expect(server.ended()).toBe(true)
    } finally {
      server.close()
    }
  }, 60_000)

  test('while the user is asked: no request is made; SIGTERM ends with 143', async () => {
    const server = await startHostile(certificates, { polls: 1000 })
    try {
      const where = [server.origin, '--ca', at('ca.pem'), '--server', server.serverDid]
      const { child, ended, said } = start('agent', [
        'connect',
        ...where,
        ...SCOPES,
        '--authorization',
        at('m0'),
      ])
      await said(/the code to pick is 42/)
      child.kill('SIGTERM')
      const { status, out, err } = await ended
      expect([status, out]).toEqual([143, ''])
      expect(err).toMatch(/interrupted: stopped$/m)
      expect(server.served()).toEqual([])
    } finally {
      server.close()
    }
  }, 60_000)

  test('nobody reads the output: no stack, and the status is that of the work', async () => {
    const { child, ended } = start('agent', ['did'])
    child.stdout?.destroy()
    const { status, err } = await ended
    expect([status, err]).toEqual([0, ''])
  }, 60_000)
})
