import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { knownFrom } from '../src/inspect/given.ts'
import { look } from '../src/inspect/look.ts'
import type { Thing } from '../src/inspect/read.ts'
import { Usage } from '../src/trouble.ts'

/** The golden vectors, looked at: nothing that is valid is called broken, and what is not is, unless it takes what nobody shows. */

interface Case {
  readonly name: string
  // biome-ignore lint/suspicious/noExplicitAny: each file of vectors has inputs of its own
  readonly input: any
  readonly valid: boolean
}

const casesOf = (file: string): Case[] =>
  JSON.parse(readFileSync(new URL(`../../../vectors/${file}.json`, import.meta.url), 'utf8')).cases

interface Seen {
  readonly looked: readonly Thing[]
  readonly context?: readonly Thing[]
  readonly now: number
  readonly audience?: string
  readonly serverDid?: string
}

async function verdictsOn({ looked, context = [], ...rest }: Seen) {
  const known = knownFrom([...looked, ...context], { audience: undefined, serverDid: undefined, ...rest })
  const items = (await Promise.all(looked.map((thing) => look(thing, known)))).flat()
  return items.flatMap(({ kind, findings }) => findings.map((finding) => ({ kind, ...finding })))
}

const things = (...given: unknown[]): Thing[] =>
  given.filter((one) => one !== undefined && one !== null) as Thing[]
const AUDIENCE = 'https://shop.example'
/** Of its shape, for its sender alone. */
const m1Of = (client_did: string) => ({
  type: 'handshake_request',
  client_did,
  client_pubkey: '',
  versions: [],
  capabilities: [],
  nonce: '',
  timestamp: 0,
})

interface File {
  /** What stands in a case. */
  readonly seen: (input: Case['input']) => Seen | undefined
  /** What only the service, the session or the registry knows: nothing is called broken there, and something is left open. */
  readonly open?: RegExp
}

const FILES: Readonly<Record<string, File>> = {
  transcript: {
    seen: ({ m1, m2, m3, m4, m5, pending, m6, m7, m8, m9a, m9b, now, audience, pins }) => ({
      looked: things(m1, m2, m3, m4, m5, pending, m6, m7, m8, m9a, m9b),
      now,
      audience,
      serverDid: pins[0],
    }),
    open: /^plain nonce|claim: cnf$/,
  },
  credential: {
    seen: ({ credential, client_did, server_names, users, now }) => ({
      looked: things(credential),
      context: [m1Of(client_did), ...things(...Object.values(users))],
      now,
      audience: server_names[1],
      serverDid: server_names[0],
    }),
    open: /revoked|used up|not enrolled|uses|no use is left/,
  },
  'wallet-token': {
    seen: ({ token, origins, now }) => ({ looked: things(token), now, audience: origins[0] }),
    open: /seen before|enrolled|second origin/,
  },
  revocation: {
    seen: ({ check, message, receipt, server_did, now }) => ({
      looked: things(check === 'receipt' ? receipt : message),
      context: check === 'receipt' ? things(message) : [],
      now,
      audience: AUDIENCE,
      serverDid: server_did,
    }),
  },
  enrolment: {
    seen: ({ message, user, now }) => ({
      looked: things(message),
      context: things(user),
      now,
      audience: AUDIENCE,
    }),
    open: /challenge$/,
  },
  errors: {
    seen: ({ body }) => ({ looked: things(body), now: 1_717_200_000 }),
    open: /status$/,
  },
  discovery: {
    seen: ({ document, fetched_from }) =>
      document === undefined
        ? undefined
        : { looked: things(document), now: 1_717_200_000, audience: fetched_from },
  },
  confirmation: {
    seen: ({ check, m6, m7, user, server_did, audience, now }) =>
      check === 'request'
        ? { looked: things(m6), now, audience, serverDid: server_did }
        : { looked: things(m7), context: things(m6, user), now, audience },
    open: /for another user|a scope more than the credential/,
  },
  vc: {
    seen: ({ vc, issuers, client_did, now }) => ({
      looked: [{ type: 'identity_proof', credentials: [vc], signature: 'AA', timestamp: now }],
      context: [m1Of(client_did), ...things(...Object.values(issuers))],
      now,
    }),
    open: /not configured|no type is configured|typ JWT|typ vc|trusted|no issuer|alg none|one of several|no JWT/,
  },
  sealed: {
    seen: ({ do: does, bytes }) =>
      does === 'open' ? { looked: [Buffer.from(bytes, 'base64url')], now: 0 } : undefined,
    // Without the keys there is the header, and whether the records are whole.
    open: /^(?!.*(version 2|a byte (short|more)|length too large|last record missing|only the first record|no record is the last|two last|after the last|that is not the last|the record twice|seq 2\^53))/,
  },
  registry: {
    seen: ({ operations }) => ({ looked: [{ operations }], now: 1_717_200_000 }),
    open: /taken|seen/,
  },
}

describe.each(Object.entries(FILES))('%s', (file, { seen, open }) => {
  const cases = casesOf(file)
    .map((one) => [one.name, one, seen(one.input)] as const)
    .filter(([, , input]) => input !== undefined)
  test.each(cases)('%s', async (name, { valid }, input) => {
    const findings = await verdictsOn(input as Seen)
    const broken = findings.filter(({ verdict }) => verdict === 'broken')
    if (valid) expect(broken.filter(() => !open?.test(name))).toEqual([])
    else if (open?.test(name) !== true) expect(broken, JSON.stringify(findings)).not.toEqual([])
    else if (broken.length === 0) expect(findings.filter(({ verdict }) => verdict === 'open')).not.toEqual([])
  })
})

/** Every place in a value, as the way to it. */
function placesIn(value: unknown, way: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [
    [...way, name],
    ...placesIn(inner, [...way, name]),
  ])
}

const JUNK = [
  undefined,
  null,
  0,
  -1,
  1.5,
  '',
  'x',
  'did:web:a',
  [],
  {},
  [null],
  ['a:b', 'a:b'],
  { a: 1 },
  true,
  'e30.e30.AA',
]

test('whatever is put in the place of anything is a finding, and no crash', async () => {
  const { input } = casesOf('transcript').find(({ name }) => name === 'confirmed in part') as Case
  const { now, audience, pins, m1, m2, m3, m4, m5, pending, m6, m7, m8, m9a, m9b } = input
  const whole = [m1, m2, m3, m4, m5, pending, m6, m7, m8, m9a, m9b]
  const places = placesIn(whole)
  const change = fc.record({ place: fc.constantFrom(...places), junk: fc.constantFrom(...JUNK) })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const looked = structuredClone(whole)
      for (const { place, junk } of changes) {
        const holder = place.slice(0, -1).reduce((value, name) => value?.[name], looked as never) as unknown
        if (typeof holder === 'object' && holder !== null) {
          Object.assign(holder, { [place.at(-1) as string]: structuredClone(junk) })
        }
      }
      const given = looked.filter((one) => typeof one === 'object' && one !== null)
      try {
        await verdictsOn({ looked: given, now, audience, serverDid: pins[0] })
      } catch (error) {
        // Two of a kind, where a type has become another's.
        if (!(error instanceof Usage)) throw error
      }
    }),
    { numRuns: 200 },
  )
}, 60_000)
