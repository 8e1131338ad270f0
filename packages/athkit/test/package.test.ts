import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dependenciesOf, filesIn, fromHere, manifestOf, npm, ROOT } from './installed.ts'

const PACKAGE = join(ROOT, 'packages/athkit')

const { version, exports: map } = manifestOf(PACKAGE)
const subpaths = Object.keys(map)
  .filter((name) => name !== './package.json')
  .map((name) => name.replace('.', 'athkit'))
const folder = mkdtempSync(join(tmpdir(), 'athkit-package-'))
const project = join(folder, 'project')

beforeAll(() => {
  npm(['pack', '--pack-destination', folder], PACKAGE)
  mkdirSync(project)
  const peers = ['hono', '@types/node'].map(fromHere)
  const dependencies = { athkit: `file:../athkit-${version}.tgz`, ...Object.fromEntries(peers) }
  const overrides = Object.fromEntries([...dependenciesOf(PACKAGE)].map(fromHere))
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'empty', private: true, type: 'module', dependencies, overrides }),
  )
  npm(['install', '--offline'], project)
}, 180_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the package, packed and installed in an empty project', () => {
  test('has a readme, its licence, code and types; no sources, tests or vectors', () => {
    const files = filesIn(join(folder, `athkit-${version}.tgz`))
    expect(files).toEqual(
      expect.arrayContaining(['package/README.md', 'package/LICENSE', 'package/package.json']),
    )
    const others = files.filter(
      (file) => !/^package\/(README\.md|LICENSE|package\.json|dist\/.+\.(js|d\.ts))$/.test(file),
    )
    expect(others).toEqual([])
    expect(files.filter((file) => file.includes('/vectors/'))).toEqual([])
    expect(readFileSync(join(PACKAGE, 'LICENSE'), 'utf8')).toBe(readFileSync(join(ROOT, 'LICENSE'), 'utf8'))
  })

  test('imports under every subpath', () => {
    const code = subpaths.map((name) => `console.log(Object.keys(await import('${name}')).length)`).join('\n')
    writeFileSync(join(project, 'all.mjs'), code)
    const said = execFileSync(process.execPath, ['all.mjs'], {
      cwd: project,
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(said.trim().split('\n').map(Number)).toHaveLength(subpaths.length)
    expect(() =>
      execFileSync(process.execPath, ['-e', "import('athkit/dist/errors.js')"], {
        cwd: project,
        stdio: 'pipe',
      }),
    ).toThrow()
  })

  test.each(['nodenext', 'bundler'])(
    'has its types under every subpath, with %s',
    (moduleResolution) => {
      const code = subpaths.map(
        (name, i) => `import * as m${i} from '${name}'\nexport const k${i}: object = m${i}`,
      )
      const wrong =
        "import { createAgent } from 'athkit/agent'\n// @ts-expect-error\ncreateAgent({ identity: 1 })\n"
      writeFileSync(join(project, 'all.ts'), `${code.join('\n')}\n`)
      writeFileSync(join(project, 'wrong.ts'), wrong)
      const compilerOptions = {
        target: 'es2023',
        lib: ['es2023', 'dom', 'dom.iterable'],
        module: moduleResolution === 'bundler' ? 'esnext' : 'nodenext',
        moduleResolution,
        types: ['node'],
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        // Of this package nothing is skipped; what others declare is not ours to judge.
        skipLibCheck: true,
      }
      writeFileSync(
        join(project, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['all.ts', 'wrong.ts'] }),
      )
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
      execFileSync(process.execPath, [tsc, '-p', '.'], {
        cwd: project,
        stdio: ['ignore', 'inherit', 'inherit'],
        timeout: 120_000,
      })
    },
    130_000,
  )

  test('publint has nothing to say', async () => {
    const pkgDir = join(project, 'node_modules/athkit')
    const { messages } = await publint({ pkgDir, strict: true, pack: false })
    const pkg = JSON.parse(readFileSync(join(pkgDir, 'package.json'), 'utf8'))
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  test('nothing that it needs runs a script when it is installed', () => {
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean; dev?: boolean; resolved?: string }>
    }
    for (const name of dependenciesOf(PACKAGE)) {
      const entry = lock.packages[`node_modules/${name}`]
      expect(entry, name).toBeDefined()
      expect(entry?.hasInstallScript ?? false, name).toBe(false)
    }
    const registries = Object.values(lock.packages).filter(({ resolved }) => resolved?.includes('://'))
    expect(registries).toEqual([])
  })
})

describe('agent and user in a browser', () => {
  const entry = `
    export * from 'athkit/agent'
    export * from 'athkit/user'
    export { generateSigner, signText, verifyText } from 'athkit/crypto'
    export { didFromKey } from 'athkit/did'`

  async function bundled() {
    writeFileSync(join(project, 'browser.js'), entry)
    const outfile = join(folder, 'browser.mjs')
    const { metafile } = await build({
      entryPoints: [join(project, 'browser.js')],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'browser',
      metafile: true,
      logLevel: 'silent',
      preserveSymlinks: true,
      nodePaths: [join(ROOT, 'node_modules')],
    })
    return { outfile, metafile }
  }

  test('are bundled without anything of Node’s', async () => {
    const { outfile, metafile } = await bundled()
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
    expect(imports.filter(({ path }) => path.startsWith('node:'))).toEqual([])
    const code = readFileSync(outfile, 'utf8')
    expect(code).not.toMatch(/["']node:/)
    expect(Object.keys(metafile.inputs).some((file) => file.endsWith('crypto/port-webcrypto.js'))).toBe(true)
    expect(Object.keys(metafile.inputs).some((file) => file.endsWith('crypto/port-node.js'))).toBe(false)
    expect(existsSync(outfile)).toBe(true)
  })

  test('and what is bundled signs and verifies', async () => {
    const { outfile } = await bundled()
    const made = await import(pathToFileURL(outfile).href)
    const signer = await made.generateSigner()
    await made.verifyText(signer.publicKey, 'text', await made.signText(signer, 'text'))
    const identity = { did: made.didFromKey(signer.publicKey), signer }
    const user = made.createUser({ identity })
    const credential = await user.authorize({
      clientDid: identity.did,
      scopes: ['a:b'],
      expiresInSeconds: 60,
    })
    expect(credential.split('.')).toHaveLength(3)
    expect(made.createAgent({ identity }).did).toBe(identity.did)
  })
})
