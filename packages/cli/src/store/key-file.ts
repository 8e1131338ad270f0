import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'

const KEY_BYTES = 32

/** The key in this file, base64url; the file is made, its owner's alone, where there is none. @throws Error for one that holds no key */
export async function storeKeyIn(file: string): Promise<Uint8Array> {
  const text = await secretIn(file, () => `${randomBytes(KEY_BYTES).toString('base64url')}\n`)
  const key = Buffer.from(text.trim(), 'base64url')
  if (key.length !== KEY_BYTES)
    throw new Error(`${file} holds no key: ${KEY_BYTES} random bytes in base64url`)
  return key
}

/**
 * What a file of secrets says. Where there is none it is made, its owner's alone; another process may be making the same one, so it
 * appears whole or not at all, and the first one stays.
 *
 * @param make what it is to say
 */
export async function secretIn(file: string, make: () => string | Promise<string>): Promise<string> {
  const known = read(file)
  if (known !== undefined) return known
  writeOnce(file, await make())
  return readFileSync(file, 'utf8')
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function writeOnce(file: string, text: string): void {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(draft)
  }
}
