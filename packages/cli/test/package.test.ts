import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dependenciesOf, filesIn, fromHere, manifestOf, npm, ROOT } from '../../athkit/test/installed.ts'

const PACKAGE = join(ROOT, 'packages/cli')
const { version } = manifestOf(PACKAGE)
const folder = mkdtempSync(join(tmpdir(), 'athkit-cli-package-'))
const project = join(folder, 'project')

beforeAll(() => {
  for (const name of ['athkit', 'cli'])
    npm(['pack', '--pack-destination', folder], join(ROOT, 'packages', name))
  mkdirSync(project)
  const athkit = `file:../athkit-${version}.tgz`
  const needed = [...dependenciesOf(PACKAGE)].filter((name) => name !== 'athkit')
  const dependencies = { athkit, '@athkit/cli': `file:../athkit-cli-${version}.tgz` }
  const overrides = { ...Object.fromEntries(needed.map(fromHere)), athkit: '$athkit' }
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'empty', private: true, dependencies, overrides }),
  )
  npm(['install', '--offline'], project)
}, 180_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** By its name alone, as whoever has installed it types it. */
const ath = (...args: string[]) =>
  spawnSync('ath', args, {
    cwd: project,
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: [join(project, 'node_modules/.bin'), process.env.PATH].join(delimiter),
      ATH_VAULT: join(folder, 'vault'),
      ATH_VAULT_KEY: Buffer.alloc(32, 1).toString('base64url'),
    },
  })

test('installed from its tarball it is on the path as ath, and works', () => {
  const help = ath('--help')
  expect([help.status, help.stderr]).toEqual([0, ''])
  expect(help.stdout).toMatch(/^Usage: ath /)
  const made = ath('init', '--json')
  expect([made.status, JSON.parse(made.stdout)]).toEqual([
    0,
    { ok: true, did: expect.stringMatching(/^did:ath:z/) },
  ])
})

test('its tarball has a readme, its licence, code and types, and nothing else', () => {
  const files = filesIn(join(folder, `athkit-cli-${version}.tgz`))
  expect(files).toEqual(
    expect.arrayContaining([
      'package/README.md',
      'package/LICENSE',
      'package/package.json',
      'package/dist/main.js',
    ]),
  )
  const others = files.filter(
    (file) => !/^package\/(README\.md|LICENSE|package\.json|dist\/.+\.(js|d\.ts))$/.test(file),
  )
  expect(others).toEqual([])
  expect(readFileSync(join(PACKAGE, 'LICENSE'), 'utf8')).toBe(readFileSync(join(ROOT, 'LICENSE'), 'utf8'))
})

test('publint has nothing to say', async () => {
  const pkgDir = join(project, 'node_modules/@athkit/cli')
  const { messages } = await publint({ pkgDir, strict: true, pack: false })
  const pkg = JSON.parse(readFileSync(join(pkgDir, 'package.json'), 'utf8'))
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
})

test('nothing that it needs runs a script when it is installed', () => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>
  }
  const scripted = [...dependenciesOf(PACKAGE)].filter(
    (name) => lock.packages[`node_modules/${name}`]?.hasInstallScript,
  )
  expect(scripted).toEqual([])
})
