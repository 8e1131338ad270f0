import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseShopOptions } from '../src/options.ts'

const ROOT = new URL('../../../', import.meta.url).pathname
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

interface Service {
  readonly build?: string
  readonly image?: string
  readonly command?: readonly string[]
  readonly secrets?: readonly string[]
  readonly networks: readonly string[]
  readonly volumes?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

const compose = parse(read('compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly volumes: Readonly<Record<string, object>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}
const services = Object.entries(compose.services)
const commandOf = (name: string): string => compose.services[name]?.command?.join(' ') ?? ''

/** Of the Dockerfile's last stage: instruction and arguments, continued lines joined. */
const stage = read('Dockerfile')
  .replace(/\\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const)
const last = new Map(stage.slice(stage.findLastIndex(([name]) => name === 'FROM')))
const listed = (text = ''): string[] => JSON.parse(text.slice(text.indexOf('[')))

describe('the Dockerfile', () => {
  test('runs what is there, as somebody without rights, and is asked whether it is ready', () => {
    expect(last.get('USER')).toBe('node')
    const [node, script = '', ...none] = listed(last.get('ENTRYPOINT'))
    expect([node, existsSync(join(ROOT, script)), none]).toEqual(['node', true, []])
    expect(parseShopOptions(listed(last.get('CMD')))).toMatchObject({ host: '0.0.0.0', port: 8443 })
    const [, check = '', url] = listed(last.get('HEALTHCHECK'))
    expect([existsSync(join(ROOT, check)), url]).toEqual([true, 'https://127.0.0.1:8443/readyz'])
    for (const script of ['build']) expect(JSON.parse(read('package.json')).scripts[script]).toBeDefined()
  })
})

describe('the compose file', () => {
  test('names nothing that it does not have: secrets in files, volumes, networks, services', () => {
    for (const [name, service] of services) {
      for (const secret of service.secrets ?? []) expect(compose.secrets, name).toHaveProperty(secret)
      for (const network of service.networks) expect(compose.networks, name).toHaveProperty(network)
      for (const volume of service.volumes ?? [])
        expect(compose.volumes).toHaveProperty(volume.split(':')[0] ?? '')
      for (const other of Object.keys(service.depends_on ?? {})) {
        expect(
          compose.services[other]?.healthcheck?.test.length,
          `${name} waits for ${other}`,
        ).toBeGreaterThan(1)
      }
      const asked = [...commandOf(name).matchAll(/\/run\/secrets\/([a-z_]+)/g)].map(([, secret]) => secret)
      expect(service.secrets ?? []).toEqual(expect.arrayContaining(asked))
      expect(service.build ?? service.image).toMatch(/^\.$|^[a-z]+:\d/)
    }
    for (const { file } of Object.values(compose.secrets)) expect(file).toMatch(/^\.\/secrets\//)
    expect(read('.gitignore')).toMatch(/^secrets\/$/m)
    expect(read('.dockerignore')).toMatch(/^secrets$/m)
  })

  test.each(['shop', 'shop-redis'])(
    '%s is started with options that it has, so that signals reach it',
    (name) => {
      const command = commandOf(name)
      expect(command).toMatch(/(^| )exec node examples\/shop\/dist\/shop\.js /)
      const args = command
        .slice(command.indexOf('shop.js') + 'shop.js'.length)
        .trim()
        .split(/\s+(?![^"]*"(?:[^"]*"[^"]*")*[^"]*$)/)
      const options = parseShopOptions(
        args.map((arg) => arg.replaceAll('"', '').replace(/\$\$\(.*?\)/, 'secret')),
      )
      expect(options).toMatchObject({ host: '0.0.0.0', port: 8443, identity: '/run/secrets/shop_identity' })
      expect(options.store).toMatch(/^(postgres:\/\/shop@postgres|redis:\/\/:secret@redis)/)
    },
  )

  test('the databases keep what they acknowledge, and are reached from inside alone', () => {
    expect(commandOf('redis')).toContain('--appendfsync always')
    expect(commandOf('redis')).toContain('--appendonly yes')
    expect(compose.networks.inside?.internal).toBe(true)
    for (const name of ['postgres', 'redis']) {
      expect(compose.services[name]).toMatchObject({ networks: ['inside'] })
      expect(compose.services[name]).not.toHaveProperty('ports')
      expect(compose.services[name]?.volumes).toHaveLength(1)
    }
  })
})

test('the health check sees a shop that is ready, and one that is gone', { timeout: 30_000 }, async () => {
  const shop = spawn(process.execPath, ['examples/shop/dist/shop.js', '--port', '0'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await new Promise<number>((resolve) =>
    shop.stdout.once('data', (data) => resolve(JSON.parse(String(data)).port)),
  )
  const check = () =>
    promisify(execFile)(process.execPath, ['tools/healthcheck.mjs', `https://127.0.0.1:${port}/readyz`], {
      cwd: ROOT,
    }).then(
      () => 0,
      ({ code }) => code,
    )
  const gone = new Promise((resolve) => shop.once('exit', resolve))
  expect(await check()).toBe(0)
  shop.kill('SIGTERM')
  expect(await gone).toBe(0)
  expect(await check()).toBe(1)
})
