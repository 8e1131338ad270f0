import { beforeAll, describe, expect, test } from 'vitest'
import { type fits, queryAudit, verifyAudit } from '../../src/audit/index.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner, type PublicKey } from '../../src/crypto/keys.ts'
import { memory } from '../../src/store/memory.ts'
import { fact, lines, NOW, processOn, signer } from './world.ts'

const store = memory()
let whole: JsonObject[]
let key: PublicKey

beforeAll(async () => {
  key = (await signer).publicKey
  const { audit, write } = processOn(store, { process: 'a', signer: await signer })
  for (let n = 0; n < 6; n++) {
    const of = { user_did: `u${n % 2}`, client_did: `c${n % 3}`, grant_id: `g${n}`, timestamp: NOW + n }
    await write('p', [fact(n, of)])
    if (n % 2 === 1) await audit.flush()
  }
  await audit.close()
  whole = (await lines(store)) as unknown as JsonObject[]
})

const entriesOnly = () => whole.filter(({ type }) => type !== 'audit_head')
const headsOnly = () => whole.filter(({ type }) => type === 'audit_head')
const findings = async (given: JsonObject[], with_ = key) => (await verifyAudit(given, with_)).findings

describe('an export', () => {
  test('that is whole holds, in any mixture of chains, entries and heads', async () => {
    expect(await findings(whole)).toEqual([])
    expect(await findings([...headsOnly(), ...entriesOnly()])).toEqual([])
    expect(await verifyAudit([], key)).toEqual({ chains: [], heads: 0, findings: [] })
  })

  test.each([0, 1, 2, 3, 4])('without entry %i', async (seq) => {
    const cut = whole.filter((line) => line.type === 'audit_head' || line.seq !== seq)
    expect(await findings(cut)).toMatchObject([{ process: 'a', seq, kind: 'removed' }])
  })

  test.each([0, 2, 5])('with entry %i altered', async (seq) => {
    const altered = whole.map((line) =>
      line.seq === seq && line.type !== 'audit_head' ? { ...line, detail: { n: 99 } } : line,
    )
    expect(await findings(altered)).toMatchObject([{ seq, kind: 'altered' }])
  })

  test('with two entries exchanged, or one that stands twice', async () => {
    const [a, b, c, ...rest] = entriesOnly() as [JsonObject, JsonObject, JsonObject]
    expect(await findings([a, c, b, ...rest])).toMatchObject([{ seq: 1, kind: 'reordered' }])
    expect(await findings([a, b, b, c, ...rest])).toMatchObject([{ seq: 2, kind: 'repeated' }])
  })

  test('whose tail was cut, up to all of it, shows by its signed heads alone', async () => {
    expect(await findings(entriesOnly().slice(0, 4))).toEqual([])
    expect(await findings([...entriesOnly().slice(0, 4), ...headsOnly()])).toMatchObject([
      { seq: 4, kind: 'cut' },
    ])
    expect(await findings(headsOnly())).toMatchObject([{ process: 'a', seq: 0, kind: 'cut' }])
  })

  test('that was written anew from some place on shows by its heads alone', async () => {
    const other = memory()
    const { audit, write } = processOn(other, { process: 'a' })
    for (let n = 0; n < 6; n++) await write('p', [fact(n === 3 ? 99 : n)])
    await audit.close()
    const rewritten = (await lines(other)) as unknown as JsonObject[]
    expect(await findings(rewritten)).toEqual([])
    expect(await findings([...rewritten, ...headsOnly()])).toMatchObject([{ seq: 1, kind: 'rewritten' }])
  })

  test('with a head that somebody else signed', async () => {
    const another = (await generateSigner()).publicKey
    expect(await findings(whole, another)).toMatchObject([{ kind: 'head' }])
  })
})

describe('a query', () => {
  const found = async (query: Parameters<typeof fits>[1]) => {
    const all: unknown[] = []
    for await (const entry of queryAudit(store, query, NOW)) all.push(entry.detail.n)
    return all
  }

  test('by user, agent, grant and time, all of what is given', async () => {
    expect(await found({})).toEqual([0, 1, 2, 3, 4, 5])
    expect(await found({ user: 'u1' })).toEqual([1, 3, 5])
    expect(await found({ agent: 'c0' })).toEqual([0, 3])
    expect(await found({ grant: 'g4' })).toEqual([4])
    expect(await found({ since: NOW + 2, until: NOW + 4 })).toEqual([2, 3])
    expect(await found({ user: 'u1', agent: 'c0' })).toEqual([3])
    expect(await found({ event: 'revoked' })).toEqual([])
    expect(await found({ handshake: 'h' })).toEqual([])
  })
})
