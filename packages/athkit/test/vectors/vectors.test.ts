import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { VECTOR_FILES } from '../../src/vectors/files.ts'
import { runFile, runVectors } from '../../src/vectors/run.ts'

const FOLDER = fileURLToPath(new URL('../../../../vectors/', import.meta.url))
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))
const textOf = (name: string) => readFileSync(`${FOLDER}${name}`, 'utf8')

interface Case {
  name: string
  input: Record<string, unknown>
  expected: Record<string, unknown>
  valid: boolean
}
const casesOf = (name: string): Case[] => JSON.parse(textOf(name)).cases
const run = (name: string, cases: unknown) => runFile(name, JSON.stringify({ cases }))

describe('every golden vector, on this port', () => {
  test('there is a file for every function, and a function for every file', () => {
    expect(names.sort()).toEqual([...VECTOR_FILES.keys()].sort())
  })

  test.each(names)('%s', async (name) => {
    const { passed, failures } = await runFile(name, textOf(name))
    expect(failures).toEqual([])
    expect(passed).toBe(casesOf(name).length)
  })

  test('a folder at once: the same, counted', async () => {
    const report = await runVectors(FOLDER)
    expect(report.failures).toEqual([])
    expect(report.failed).toBe(0)
    expect(report.passed).toBe(names.reduce((sum, name) => sum + casesOf(name).length, 0))
    expect([...report.files.keys()]).toEqual(names)
  })
})

describe.each(names)('the runner can fail: %s', (name) => {
  const cases = casesOf(name)

  test('any other value for any member of what is expected', async () => {
    const mutated = cases
      .filter((one) => one.valid)
      .flatMap((one) =>
        Object.keys(one.expected).map((member) => ({
          ...one,
          name: `${one.name}: ${member}`,
          expected: { ...one.expected, [member]: { not: 'this' } },
        })),
      )
    const { passed, failures } = await run(name, mutated)
    expect(passed).toBe(0)
    expect(failures.map((failure) => failure.case)).toEqual(mutated.map((one) => one.name))
  })

  test('what is valid called invalid, and the other way round', async () => {
    const flipped = cases.map((one) => ({ ...one, valid: !one.valid }))
    const { passed, failures } = await run(name, flipped)
    expect(passed).toBe(0)
    expect(failures.filter(({ why }) => why.startsWith('crashed'))).toEqual([])
  })

  test('a refusal at another place', async () => {
    const moved = cases
      .filter((one) => !one.valid && ('at' in one.expected || 'seq' in one.expected))
      .map((one) => {
        const { at, seq } = one.expected
        const elsewhere =
          seq === undefined ? { at: typeof at === 'number' ? at + 1 : 'm1' } : { seq: Number(seq) + 1 }
        return { ...one, expected: { ...one.expected, ...elsewhere } }
      })
    expect((await run(name, moved)).passed).toBe(0)
  })

  test('a crash is no refusal', async () => {
    const [invalid] = cases.filter((one) => !one.valid)
    if (invalid === undefined) return expect(name).toBe('decision.json')
    const { failures } = await run(name, [{ ...invalid, input: {} }])
    for (const { why } of failures) expect(why).toMatch(/^(crashed|was not refused|refused as|.* is nothing)/)
  })
})

describe('the runner', () => {
  test('names another error, and takes any of `also`', async () => {
    const [one] = casesOf('wallet-token.json').filter((candidate) => !candidate.valid)
    const other = { code: 401, error: 'credential_invalid' }
    expect((await run('wallet-token.json', [{ ...one, expected: other }])).failures[0]?.why).toContain(
      'refused as {"code":401,"error":"token_invalid"}',
    )
    const also = { ...other, also: [{ code: 401, error: 'token_invalid' }] }
    expect((await run('wallet-token.json', [{ ...one, expected: also }])).passed).toBe(1)
    const code = { code: 400, error: 'token_invalid' }
    expect((await run('wallet-token.json', [{ ...one, expected: code }])).passed).toBe(0)
  })

  test('takes an error that a file calls advice for advice', async () => {
    const [one] = casesOf('discovery.json').filter((candidate) => !candidate.valid)
    const other = { code: 401, error: 'identity_unknown' }
    expect((await run('discovery.json', [{ ...one, expected: other }])).passed).toBe(1)
  })

  test('takes an earlier refusal of a handshake, and no later one', async () => {
    const cases = casesOf('transcript.json').filter((candidate) => candidate.expected.at === 'm2')
    const later = cases.map((one) => ({ ...one, expected: { ...one.expected, at: 'm9b' } }))
    expect((await run('transcript.json', later)).failures).toEqual([])
    const late = casesOf('transcript.json').filter((candidate) => candidate.expected.at === 'm9b')
    const earlier = late.map((one) => ({ ...one, expected: { ...one.expected, at: 'm2' } }))
    expect((await run('transcript.json', earlier)).passed).toBe(0)
  })

  test('tells a crash from a refusal', async () => {
    const [one] = casesOf('wallet-token.json').filter((candidate) => !candidate.valid)
    const { failures } = await run('wallet-token.json', [{ ...one, input: { ...one?.input, origins: null } }])
    expect(failures[0]?.why).toMatch(/^crashed: TypeError/)
  })

  test('fails when the input of a valid case is altered', async () => {
    const [one] = casesOf('revocation.json')
    const message = { ...(one?.input.message as object), reason: 'another' }
    const { failures } = await run('revocation.json', [{ ...one, input: { ...one?.input, message } }])
    expect(failures).toEqual([
      { file: 'revocation.json', case: one?.name, why: expect.stringContaining('refused: ') },
    ])
  })

  test.each([
    ['a file of a name it does not know', 'unknown.json', '{"cases":[]}'],
    ['a file that is not JSON', 'jcs.json', '{'],
    ['a file that is null', 'jcs.json', 'null'],
    ['a file without cases', 'jcs.json', '{"cases":[]}'],
    ['a file of something else', 'jcs.json', '[]'],
  ])('fails on %s', async (_, name, text) => {
    const { passed, failures } = await runFile(name, text)
    expect(passed).toBe(0)
    expect(failures).toEqual([{ file: name, case: '', why: expect.any(String) }])
  })

  test('fails on what is not a case', async () => {
    const { passed, failures } = await run('jcs.json', [null, 1, {}, { name: 'x', input: {}, expected: {} }])
    expect(passed).toBe(0)
    expect(failures.map((failure) => failure.case)).toEqual(['case 0', 'case 1', 'case 2', 'x'])
  })
})
