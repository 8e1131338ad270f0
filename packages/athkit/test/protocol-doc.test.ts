import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ERRORS } from '../src/errors.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const document = readFileSync(`${ROOT}docs/protocol.md`, 'utf8')

/** How many rules each section has; 6 and those behind it in the list are rules themselves. */
const SECTIONS: readonly (readonly [string, number])[] = [
  ['1', 7],
  ['2', 4],
  ['3', 7],
  ['4', 7],
  ['5', 4],
  ['6.1', 7],
  ['6.2', 3],
  ['6.3', 5],
  ['6.4', 3],
  ['6.5', 5],
  ['7', 11],
]
const RULES = [
  ...SECTIONS.flatMap(([section, count]) =>
    Array.from({ length: count }, (_, i) => `ATH-${section}.${i + 1}`),
  ),
  ...['ATH-6', 'ATH-8', 'ATH-9', 'ATH-10', 'ATH-11'],
]

test('docs/protocol.md states every rule, under its number', () => {
  const stated = new Set([...document.matchAll(/\*\*(ATH-[0-9.]*[0-9])\b/g)].map(([, rule]) => rule))
  expect(RULES.filter((rule) => !stated.has(rule))).toEqual([])
  expect([...stated].filter((rule) => !RULES.includes(String(rule)))).toEqual([])
})

test('every rule that the sources cite is one of them', () => {
  const folder = `${ROOT}packages/athkit/src/`
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const unknown = files.flatMap((file) => {
    const cited = readFileSync(`${folder}${file}`, 'utf8').matchAll(/\bATH-([0-9.]*[0-9])/g)
    return [...cited]
      .map(([rule]) => rule)
      .filter((rule) => !RULES.some((known) => known === rule || known.startsWith(`${rule}.`)))
      .map((rule) => `${file}: ${rule}`)
  })
  expect(files.length).toBeGreaterThan(20)
  expect(unknown).toEqual([])
})

test('its table of errors is that of errors.ts', () => {
  const rows = [...ERRORS.values()].map(
    ({ code, error, retryable, advice }) =>
      `| ${code} | \`${error}\` | ${retryable ? 'yes' : 'no'} | ${advice} |`,
  )
  // Padding inside a cell is the formatter's.
  const lines = document.split('\n').map((line) => line.replaceAll(/\s+/g, ' '))
  const table = lines.filter((line) => /^\| \d{3} \| `/.test(line))
  expect(table).toEqual(rows)
})

test('its links lead somewhere in it', () => {
  const anchors = new Set(
    [...document.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      String(title)
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
  const links = [...document.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => String(anchor))
  expect(links.filter((link) => !anchors.has(link))).toEqual([])
})
