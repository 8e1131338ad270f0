import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Usage } from './trouble.ts'

export function readText(file: string): string {
  return readBytes(file).toString('utf8')
}

/** @param file `-` is standard input */
export function readBytes(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file)
  } catch (error) {
    throw new Usage(`${file} cannot be read: ${inWords(error)}`)
  }
}

/** What everybody may read. */
export function writeText(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw new Usage(`${file} cannot be written: ${inWords(error)}`)
  }
}

/** Readable for its owner alone, also where the file was there before. */
export function writePrivate(file: string, text: string): void {
  try {
    if (existsSync(file)) chmodSync(file, 0o600)
    writeFileSync(file, text, { mode: 0o600 })
  } catch (error) {
    throw new Usage(`${file} cannot be written: ${inWords(error)}`)
  }
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file or folder'],
  ['EACCES', 'you may not'],
  ['EPERM', 'you may not'],
  ['EISDIR', 'it is a folder'],
  ['ENOTDIR', 'a part of its path is no folder'],
  ['ENOSPC', 'the disk is full'],
  ['EROFS', 'the disk is read-only'],
])

export function inWords(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException
  return WORDS.get(code) ?? (error as Error).message
}
