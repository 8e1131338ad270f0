import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const SRC = resolve(dirname(fileURLToPath(import.meta.url)), '../src')

/** Which rooms a room may import from: the arrows of ARCHITECTURE.md. */
const ARROWS = new Map<string, readonly string[]>([
  ['errors', []],
  ['crypto', ['errors']],
  ['net', ['errors', 'crypto']],
  ['did', ['errors', 'crypto', 'net']],
  ['did-node', ['errors', 'crypto', 'net', 'did']],
  ['token', ['errors', 'crypto', 'net', 'did']],
  ['session', ['errors', 'crypto', 'did']],
  ['handshake', ['errors', 'crypto', 'did', 'token', 'session']],
  ['messages', ['errors', 'crypto', 'net', 'did']],
  ['audit', ['errors', 'crypto', 'store']],
  ['store', ['errors']],
  ['client', ['errors', 'crypto', 'net', 'did', 'messages']],
  ['agent', ['client', 'errors', 'crypto', 'did', 'token', 'session', 'handshake', 'messages']],
  ['vault-node', ['errors', 'crypto', 'did', 'handshake', 'agent']],
  ['user', ['client', 'errors', 'crypto', 'did', 'handshake', 'messages']],
  [
    'service',
    [
      'errors',
      'crypto',
      'net',
      'did',
      'did-node',
      'token',
      'session',
      'handshake',
      'messages',
      'store',
      'audit',
    ],
  ],
  ['http', ['errors', 'crypto', 'did', 'token', 'session', 'handshake', 'messages', 'store', 'service']],
  ['policy-node', ['errors', 'crypto', 'service']],
  ['registry', ['errors', 'crypto', 'net', 'did', 'client', 'store', 'audit', 'service', 'http']],
  ['adapters', ['errors', 'crypto', 'net', 'service', 'http']],
  ['vectors', ['errors', 'crypto', 'did', 'token', 'session', 'handshake', 'messages', 'audit']],
])

/** Rooms that run unchanged in browsers, Deno and Bun. The port is chosen when a program is resolved. */
const WITHOUT_NODE = [
  'errors',
  'crypto',
  'net',
  'did',
  'token',
  'session',
  'handshake',
  'messages',
  'audit',
  'client',
  'agent',
  'user',
]

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

const roomOf = (file: string): string =>
  file.includes('/') ? (file.split('/')[0] as string) : file.replace(/\.ts$/, '')

const importsOf = (file: string): string[] =>
  [
    ...readFileSync(join(SRC, file), 'utf8').matchAll(/(?:\bfrom\s*|\bimport\s*\(\s*|^import\s+)'([^']+)'/gm),
  ].map((match) => match[1] as string)

describe('the arrows between rooms', () => {
  test.each(files)('%s imports only along them', (file) => {
    const room = roomOf(file)
    const allowed = ARROWS.get(room)
    expect(allowed, `room ${room} is not in the list of arrows`).toBeDefined()
    const taken = importsOf(file)
      .filter((target) => target.startsWith('.'))
      .map((target) => roomOf(relative(SRC, resolve(SRC, dirname(file), target))))
    expect(taken.filter((target) => target !== room && !allowed?.includes(target))).toEqual([])
  })

  test('relative imports name files that exist, so that the drawing is whole', () => {
    const targets = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith('.'))
        .map((target) => relative(SRC, resolve(SRC, dirname(file), target))),
    )
    expect(targets.filter((target) => !files.includes(target))).toEqual([])
  })

  test('the pure rooms import nothing of Node', () => {
    const offenders = files
      .filter((file) => WITHOUT_NODE.includes(roomOf(file)) && file !== 'crypto/port-node.ts')
      .filter((file) => importsOf(file).some((target) => target.startsWith('node:')))
    expect(offenders).toEqual([])
  })
})

test('no file of the library hides two ideas: 300 lines at most', () => {
  const long = files.filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > 301)
  expect(long).toEqual([])
})
