import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { messageSchemas } from '../../src/vectors/schemas.ts'

const VECTORS = fileURLToPath(new URL('../../../../vectors', import.meta.url))
const schemas = messageSchemas()

test('the files in vectors/schemas are those of the code; `npm run schemas` writes them', async () => {
  const written = new Map<string, unknown>()
  for (const file of await readdir(join(VECTORS, 'schemas'))) {
    written.set(file.replace('.json', ''), JSON.parse(await readFile(join(VECTORS, 'schemas', file), 'utf8')))
  }
  expect(written).toEqual(schemas)
})

const ajv = new Ajv2020()
const validators = new Map([...schemas].map(([name, schema]) => [name, ajv.compile(schema)]))
const validate = (name: string, message: unknown): boolean => validators.get(name)?.(message) === true

interface Handshake {
  readonly input: Readonly<Record<string, Record<string, unknown>>>
  readonly valid: boolean
}

const SCHEMA_OF = new Map([
  ['m1', '1-handshake-request'],
  ['m2', '2-handshake-response'],
  ['m3', '3-identity-proof'],
  ['m4', '4-identity-result'],
  ['m5', '5-scope-request'],
  ['pending', 'authorization-pending'],
  ['m6', '6-authorization-confirmation-request'],
  ['m7', '7-authorization-confirmation-response'],
  ['m8', '8-scope-result'],
  ['m9a', '9a-key-exchange'],
  ['m9b', '9b-handshake-complete'],
])

test('another validator takes the golden messages by them, and refuses each without any one of what it must have', async () => {
  const { cases } = JSON.parse(await readFile(join(VECTORS, 'transcript.json'), 'utf8')) as {
    cases: Handshake[]
  }
  const golden = cases.filter(({ valid }) => valid)
  const seen = new Set(golden.flatMap(({ input }) => Object.keys(input)))
  expect([...SCHEMA_OF.keys()].filter((step) => !seen.has(step))).toEqual([])
  for (const { input } of golden) {
    for (const [step, name] of SCHEMA_OF) {
      const message = input[step]
      if (message === undefined) continue
      expect(validate(name, message), step).toBe(true)
      for (const member of (schemas.get(name)?.required ?? []) as string[]) {
        const { [member]: _, ...rest } = message ?? {}
        expect(validate(name, rest), `${step} without ${member}`).toBe(false)
      }
    }
  }
})
