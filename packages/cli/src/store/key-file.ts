import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'

const KEY_BYTES = 32

/** The key in this file, base64url; the file is made, its owner's alone, where there is none. @throws Error for one that holds no key */
export function storeKeyIn(file: string): Uint8Array {
  const text = read(file) ?? made(file)
  const key = Buffer.from(text.trim(), 'base64url')
  if (key.length !== KEY_BYTES)
    throw new Error(`${file} holds no key: ${KEY_BYTES} random bytes in base64url`)
  return key
}

function made(file: string): string {
  writeOnce(file, `${randomBytes(KEY_BYTES).toString('base64url')}\n`)
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

/**
 * Makes a file of secrets. Another process may be making the same one: it appears whole or not at all, and the first one stays.
 *
 * @returns whether this one is it
 */
export function writeOnce(file: string, text: string): boolean {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(draft)
  }
}
