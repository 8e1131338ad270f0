import { describe, expect, test } from 'vitest'
import { verifyAudit } from '../../src/audit/index.ts'
import { recoverAudit, recoverOthers } from '../../src/audit/recovery.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { memory } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import {
  another,
  chained,
  delayed,
  dying,
  fact,
  isEntry,
  lines,
  NOW,
  processOn,
  signer,
  waiting,
} from './world.ts'

describe('what a process writes down (ATH-10)', () => {
  test('is durable with the state it describes, and has its place just after', async () => {
    const store = memory()
    const { audit, write } = processOn(store)
    await write('p', [fact(1), fact(2)], [{ op: 'put', key: 'state', value: 's' }])
    expect([await waiting(store), await chained(store)]).toEqual([1, []])
    await write('q', [fact(3)])
    await audit.flush()
    expect([await waiting(store), await chained(store)]).toEqual([0, [1, 2, 3]])
    await audit.close()
  })

  test('gives every fact of a transaction a place and a name of its own, also where it was lost', async () => {
    const store = memory()
    const dead = processOn(store, { process: 'dead' })
    await dead.write('p', [fact(1), fact(2), fact(3)])
    const clock = { now: NOW + 11 }
    await recoverAudit(store, clock.now)
    const entries = (await lines(store)).filter(isEntry)
    expect(entries.map(({ detail, seq }) => [detail.n, seq])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ])
    expect(new Set(entries.map(({ id }) => id)).size).toBe(3)
    expect([await waiting(store), await chained(store)]).toEqual([0, [1, 2, 3]])
  })

  test('is nothing where the transaction was not done', async () => {
    const store = memory()
    const { audit, write } = processOn(store)
    expect(await write('p', [fact(1)], [{ op: 'get', key: 'none', if: 'present' }])).toBe('aborted')
    await audit.close()
    expect([await waiting(store), await chained(store)]).toEqual([0, []])
  })

  test('has a chain for each process, which others neither read nor wait for', async () => {
    const store = memory()
    const processes = [processOn(store, { process: 'a' }), processOn(store), processOn(store)]
    await Promise.all(
      processes.flatMap(({ write }, i) => Array.from({ length: 50 }, (_, n) => write(`p${n}`, [fact(i)]))),
    )
    await Promise.all(processes.map(({ audit }) => audit.close()))
    const entries = (await lines(store)).filter(isEntry)
    expect(new Set(entries.map(({ process }) => process)).size).toBe(3)
    expect((await chained(store)).sort()).toEqual([0, 1, 2].flatMap((i) => Array(50).fill(i)))
  })

  test('gets its place by itself, soon', async () => {
    const store = memory()
    const { audit, write } = processOn(store)
    await write('p', [fact(1)])
    await expect.poll(() => chained(store), { timeout: 10_000 }).toEqual([1])
    await audit.close()
  })

  test('goes on in the chain of a name that was given', async () => {
    const store = memory()
    for (const n of [1, 2, 3]) {
      const { audit, write } = processOn(store, { process: 'shop-1' })
      await write('p', [fact(n)])
      await audit.close()
    }
    expect(await chained(store)).toEqual([1, 2, 3])
    expect((await lines(store)).filter(isEntry).map(({ process, seq }) => [process, seq])).toEqual([
      ['shop-1', 0],
      ['shop-1', 1],
      ['shop-1', 2],
    ])
  })

  test('is read to its end, however many entries and chains there are', async () => {
    const store = memory()
    const { audit, write } = processOn(store, { process: 'long' })
    const facts = Array.from({ length: 2345 }, (_, n) => fact(n))
    for (let i = 0; i < facts.length; i += 100) await write('p', facts.slice(i, i + 100))
    await audit.close()
    for (let i = 0; i < 1100; i++) {
      await store.transact('audit', [{ op: 'put', key: `chain:x${i}`, value: '' }], NOW)
    }
    expect(await chained(store)).toEqual(facts.map((_, n) => n))
  })
})

describe('a process that dies', () => {
  /** Writes four facts and lets them be chained, with a store that dies at its n-th transaction. */
  async function life(store: Store, at: number, after: boolean) {
    const mortal = dying(store, at, after)
    const { audit, write } = processOn(mortal, { process: 'mortal' })
    const durable: number[] = []
    try {
      for (const n of [1, 2]) {
        await write(`p${n}`, [fact(n)])
        durable.push(n)
      }
      await audit.flush()
      for (const n of [3, 4]) {
        await write(`p${n}`, [fact(n)])
        durable.push(n)
      }
      await audit.flush()
    } catch {
      // It is dead: nothing of it runs any more.
    }
    await audit.close().catch(() => undefined)
    return { durable, ended: mortal.calls() < at }
  }

  test.each([[false], [true]])(
    'anywhere loses nothing and doubles nothing (after the commit: %s)',
    async (after) => {
      for (let at = 1, ended = false; !ended; at++) {
        for (const name of ['mortal', 'another']) {
          const store = memory()
          const before = await life(store, at, after)
          ended = before.ended
          if (name === 'mortal') await processOn(store, { process: name }).audit.close()
          else await recoverOthers(another(store, 60), name, async () => undefined)
          const places = await chained(store)
          expect(new Set(places).size, `${name} at ${at}: ${places}`).toBe(places.length)
          expect(places, `${name} at ${at}`).toEqual(expect.arrayContaining(before.durable))
          expect([await waiting(store), places.length - before.durable.length <= 1]).toEqual([0, true])
        }
      }
    },
    60_000,
  )

  test('is recovered beside what others have appended to outboxes, which stays', async () => {
    const store = memory()
    await processOn(store).write('p', [fact(1)])
    for (const value of ['no JSON', '[]', 'null', '{"process":"x"}']) {
      await store.transact('p', [{ op: 'append', id: value, value }], NOW)
    }
    await recoverOthers(another(store, 60), 'another', async () => undefined)
    expect([await chained(store), await waiting(store)]).toEqual([[1], 4])
  })

  test('leaves its entries alone for a while: it may only be slow', async () => {
    const store = memory()
    const slow = processOn(store, { process: 'slow' })
    await slow.write('p', [fact(1)])
    await recoverOthers(another(store, 9), 'another', async () => undefined)
    expect(await chained(store)).toEqual([])
    await recoverOthers(another(store, 10), 'another', async () => undefined)
    expect(await chained(store)).toEqual([1])
    await slow.write('p', [fact(2)])
    await slow.audit.close()
    expect(await chained(store)).toEqual([1, 2])
  })

  test('but is only slow notices that others have taken its entries on, whenever they do', async () => {
    const facts = Array.from({ length: 24 }, (_, n) => n)
    for (let round = 1; round <= 60; round++) {
      const store = memory()
      const late = delayed(store, round)
      const slow = processOn(late, { process: 'slow' })
      const recover = () => recoverOthers(another(late, 60), 'another', async () => undefined)
      await Promise.all([
        ...[0, 1, 2].map(async (writer) => {
          for (const n of facts) if (n % 3 === writer) await slow.write(`p${writer}`, [fact(n)])
        }),
        ...[0, 1].map(async () => {
          for (let i = 0; i < 8; i++) await recover()
        }),
        (async () => {
          for (let i = 0; i < 8; i++) await slow.audit.flush()
        })(),
      ])
      await slow.audit.close()
      const places = (await chained(store)).sort((a, b) => a - b)
      expect(places, `round ${round}`).toEqual(facts)
    }
  })
})

describe('a store that fails for a while', () => {
  test('is tried again, and an unknown outcome is looked up', async () => {
    const store = memory()
    let fails: 'before' | 'after' | undefined
    const shaky: Store = {
      ...store,
      async transact(partition, operations, now) {
        if (fails === 'before') throw new Error('before')
        const outcome = await store.transact(partition, operations, now)
        if (fails === 'after') throw new Error('after')
        return outcome
      },
    }
    const { audit, write } = processOn(shaky)
    await write('p', [fact(1)])
    for (const how of ['before', 'after'] as const) {
      fails = how
      await expect(audit.flush()).rejects.toThrow(how)
      await expect(write('p', [fact(how === 'before' ? 0 : 2)])).rejects.toThrow(how)
      fails = undefined
    }
    await write('p', [fact(3)])
    await audit.close()
    expect(await chained(store)).toEqual([1, 2, 3])
  })
})

describe('the end of a chain', () => {
  test('is signed when it has moved, kept beside it, and given away', async () => {
    const store = memory()
    const given: JsonObject[] = []
    const key = await signer
    const { audit, write } = processOn(store, { signer: key, onHead: (head) => void given.push(head) })
    for (const n of [1, 2]) {
      await write('p', [fact(n)])
      await audit.flush()
      await audit.flush()
    }
    await audit.close()
    const all = (await lines(store)) as unknown as JsonObject[]
    expect(given.map(({ seq }) => seq)).toEqual([0, 1])
    expect(all.filter(({ type }) => type === 'audit_head')).toEqual(given)
    const verdict = await verifyAudit(all, key.publicKey)
    expect(verdict).toMatchObject({ chains: [{ count: 2 }], heads: 2, findings: [] })
  })

  test('is signed again where giving it away has failed', async () => {
    const store = memory()
    let fails = true
    const given: unknown[] = []
    const onHead = (head: unknown) => {
      if (fails) throw new Error('nobody takes it')
      given.push(head)
    }
    const { audit, write } = processOn(store, { signer: await signer, onHead })
    await write('p', [fact(1)])
    await expect(audit.flush()).rejects.toThrow('nobody takes it')
    fails = false
    await audit.close()
    expect(given).toHaveLength(1)
  })
})
