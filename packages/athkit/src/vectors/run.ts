import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json, JsonObject } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'
import { whyOtherRefusal, whyUnequal } from './compare.ts'
import { VECTOR_FILES, type VectorFile } from './files.ts'
import { membersOf } from './refused.ts'

export interface VectorFailure {
  readonly file: string
  /** The case's name; of a file that could not be run at all the empty string. */
  readonly case: string
  readonly why: string
}

export interface VectorReport {
  readonly passed: number
  readonly failed: number
  readonly failures: readonly VectorFailure[]
  /** Cases that passed and failed, by file. */
  readonly files: ReadonlyMap<string, { readonly passed: number; readonly failed: number }>
}

/** Every `*.json` of a folder, through the library, on the crypto port that is loaded. */
export async function runVectors(folder: string): Promise<VectorReport> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  const failures: VectorFailure[] = []
  const files = new Map<string, { readonly passed: number; readonly failed: number }>()
  for (const file of names) {
    const outcome = await runFile(file, await readFile(join(folder, file), 'utf8'))
    failures.push(...outcome.failures)
    files.set(file, { passed: outcome.passed, failed: outcome.failures.length })
  }
  const passed = [...files.values()].reduce((sum, file) => sum + file.passed, 0)
  return { passed, failed: failures.length, failures, files }
}

interface Outcome {
  readonly passed: number
  readonly failures: readonly VectorFailure[]
}

/** @param text of the whole file; its name says what it holds */
export async function runFile(file: string, text: string): Promise<Outcome> {
  const known = VECTOR_FILES.get(file)
  if (known === undefined) return broken(file, 'no function for a file of this name')
  const cases = casesOf(text)
  if (cases === undefined) return broken(file, 'not a vector file: no list of cases')
  const failures: VectorFailure[] = []
  for (const [index, one] of cases.entries()) {
    const why = isObject(one) ? await whyFailed(known, one) : 'not an object'
    const name = isObject(one) && typeof one.name === 'string' ? one.name : `case ${index}`
    if (why !== undefined) failures.push({ file, case: name, why })
  }
  return { passed: cases.length - failures.length, failures }
}

const broken = (file: string, why: string): Outcome => ({ passed: 0, failures: [{ file, case: '', why }] })

function casesOf(text: string): readonly Json[] | undefined {
  try {
    const { cases } = JSON.parse(text) as { readonly cases?: unknown }
    return Array.isArray(cases) && cases.length > 0 ? cases : undefined
  } catch {
    return undefined
  }
}

/** Why a case fails; undefined when it passes. */
async function whyFailed(known: VectorFile, one: JsonObject): Promise<string | undefined> {
  const { input, expected, valid } = one
  if (!isObject(input) || !isObject(expected) || typeof valid !== 'boolean') return 'not a case'
  let actual: JsonObject
  try {
    actual = await known.check(input)
  } catch (error) {
    const told = membersOf(error)
    if (told === undefined) return `crashed: ${messageOf(error)}`
    if (valid) return `refused: ${messageOf(error)}`
    const rules = { advice: known.advice?.(input) === true, atTheLatest: known.atTheLatest ?? [] }
    return whyOtherRefusal(told, expected, rules)
  }
  if (!valid) return 'was not refused'
  return whyUnequal(actual, expected, known.normalize ?? new Map())
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)
