import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFileVault } from '../../src/vault-node/index.ts'

const KEY = { key: new Uint8Array(32).fill(1) }

/** Lets the writer go on for so many lines, kills it, and says the last thing that it had been told was kept. */
function killedAfter(file: string, lines: number, delay: number): Promise<string[]> {
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'writer.mjs'), file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  writer.stdout.on('data', (chunk: Buffer) => {
    said += chunk
    if (said.split('\n').length > lines) setTimeout(() => writer.kill('SIGKILL'), delay)
  })
  return new Promise((resolve) => writer.on('close', () => resolve(said.split('\n').slice(0, -1))))
}

test('killed at any moment, a writer leaves a vault that opens and has all that it was told was kept', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-vault-'))
  const file = join(folder, 'agent.vault')
  try {
    let did: string | undefined
    let kept = 0
    for (let round = 0; round < 6; round++) {
      const [identity, ...counts] = await killedAfter(file, 3 + round * 2, round)
      did ??= identity
      expect(identity).toBe(did)
      const last = Number(counts.at(-1))
      const vault = await openFileVault(file, KEY)
      const found = (await vault.entries('session')).get('count') as number
      // One more may have been kept without having been said.
      expect([last, last + 1]).toContain(found)
      expect(found).toBeGreaterThan(kept)
      kept = found
      expect((await vault.identity()).did).toBe(did)
    }
    expect(readdirSync(folder)).toContain('agent.vault')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 30_000)

test('whatever part of a new file a crash leaves, at any byte, the vault is as it was; what is left goes in the end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-vault-'))
  const file = join(folder, 'agent.vault')
  try {
    const vault = await openFileVault(file, KEY)
    await vault.update('session', 'count', () => 1)
    const before = readFileSync(file)
    await vault.update('session', 'count', () => 2)
    const after = readFileSync(file)
    for (let written = 0; written <= after.length; written++) {
      // The steps of a change: the new file, as far as it came; then it takes the place of the old one.
      const left = `${file}.${written}.tmp`
      writeFileSync(file, before)
      writeFileSync(left, after.subarray(0, written))
      expect((await (await openFileVault(file, KEY)).entries('session')).get('count')).toBe(1)
      utimesSync(left, 1, 1)
    }
    await (await openFileVault(file, KEY)).update('session', 'count', () => 3)
    expect((await (await openFileVault(file, KEY)).entries('session')).get('count')).toBe(3)
    expect(readdirSync(folder)).toEqual(['agent.vault'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a disk that is full at any byte leaves the vault as it was', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-vault-'))
  const file = join(folder, 'agent.vault')
  try {
    const vault = await openFileVault(file, KEY)
    await vault.update('session', 'count', () => 1)
    // No file may be longer than this, in blocks of 1 KiB: the new one is.
    const writer = join(import.meta.dirname, 'big-writer.mjs')
    const status = await new Promise((resolve) => {
      const command = `ulimit -f 64; exec "${process.execPath}" "${writer}" "${file}"`
      spawn('sh', ['-c', command], { stdio: 'ignore' }).on('close', resolve)
    })
    expect(status).toBe(3)
    const again = await openFileVault(file, KEY)
    expect((await again.entries('session')).get('count')).toBe(1)
    expect(readdirSync(folder)).toEqual(['agent.vault'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
