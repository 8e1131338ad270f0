// `npm run -s ath -- …` right after `npm ci`: builds what is older than its sources, quietly, then is the command itself.
import { spawnSync } from 'node:child_process'
import { linkSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const PACKAGES = ['packages/athkit', 'packages/cli']
/** Written by every build that had something to do; a build from here sets its time, so that the next one knows. */
const STAMP = 'dist/.tsbuildinfo'
const PAUSE_MS = 50

const timeOf = (path) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0

function isBuilt(folder) {
  const built = timeOf(`${folder}/${STAMP}`)
  const sources = readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' })
  return [...sources.map((file) => `src/${file}`), 'tsconfig.json', 'package.json'].every(
    (file) => timeOf(`${folder}/${file}`) <= built,
  )
}

/** Two that start at once build once: the other waits, unless the first one died over it. */
async function buildAlone() {
  const lock = join(root, 'node_modules/.ath-build')
  while (!taken(lock)) {
    if (PACKAGES.every(isBuilt)) return
    if (!isAlive(holderOf(lock))) rmSync(lock, { force: true })
    await sleep(PAUSE_MS)
  }
  try {
    if (!PACKAGES.every(isBuilt)) build()
  } finally {
    rmSync(lock, { force: true })
  }
}

function taken(lock) {
  try {
    // In one step with its content: linked, not written, under that name.
    const mine = `${lock}.${process.pid}`
    writeFileSync(mine, String(process.pid))
    try {
      linkSync(mine, lock)
    } finally {
      rmSync(mine, { force: true })
    }
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Of a lock that has just been given back, this very process: it is simply asked for again. */
function holderOf(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'))
  } catch {
    return process.pid
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function build() {
  const began = new Date()
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  // What it has to say goes to standard error: standard output is the command's.
  const { status } = spawnSync(process.execPath, [tsc, '-b', 'packages/cli'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new Error('athkit does not build: see above')
  for (const folder of PACKAGES) utimesSync(join(root, folder, STAMP), began, began)
}

if (!PACKAGES.every(isBuilt)) await buildAlone()
await import(new URL('../packages/cli/dist/main.js', import.meta.url).href)
