import { describe, expect, test } from 'vitest'
import { AthError } from '../../../src/errors.ts'
import type { ServiceContext } from '../../../src/service/context.ts'
import { createOpenStreams } from '../../../src/service/sealed/streams.ts'
import { memory } from '../../../src/store/memory.ts'
import type { Store } from '../../../src/store/store.ts'
import { NOW } from '../shop.ts'

/** The streams of one process over a store that can be made to fail or stall; their own timer is never waited for. */
async function world(states: Readonly<Record<string, string>>) {
  const kept = memory()
  const clock = { ms: NOW * 1000 }
  let outage: Promise<never> | undefined
  const transact: Store['transact'] = (partition, operations, now) =>
    outage ?? kept.transact(partition, operations, now)
  const context = {
    store: { ...kept, transact },
    now: () => Math.floor(clock.ms / 1000),
    nowMs: () => clock.ms,
    policies: { denies: (did: string) => did === 'did:ath:denied' },
    emit: () => undefined,
  } as unknown as ServiceContext
  const write = (grantId: string, state: string) =>
    kept.transact(
      'pair',
      [{ op: 'put', key: `grant:${grantId}`, value: JSON.stringify({ state }), expiresAt: NOW + 7200 }],
      NOW,
    )
  for (const [grantId, state] of Object.entries(states)) await write(grantId, state)
  const streams = createOpenStreams(context)
  const cut: string[] = []
  const add = (grantId: string, more: { endsAt?: number; clientDid?: string } = {}) =>
    streams.add({
      grantId,
      clientDid: 'did:ath:agent',
      partition: 'pair',
      endsAt: NOW + 3600,
      cut: () => void cut.push(grantId),
      ...more,
    })
  const fail = (with_: Promise<never> | undefined) => {
    outage = with_
  }
  return { clock, streams, cut, add, write, fail }
}

describe('open streams are cut (ATH-7.8)', () => {
  test('at the end that each has, and not before', async () => {
    const { clock, streams, cut, add } = await world({ short: 'live', long: 'live' })
    add('short', { endsAt: NOW + 3 })
    add('long')
    clock.ms += 2999
    await streams.check()
    expect(cut).toEqual([])
    clock.ms += 1
    await streams.check()
    expect(cut).toEqual(['short'])
    expect(streams.size).toBe(1)
  })

  test.each(['revoked', 'ended'])('when another node has written that the grant was %s', async (state) => {
    const { streams, cut, add, write } = await world({ a: 'live', b: 'provisional' })
    add('a')
    add('b')
    await streams.check()
    expect(cut).toEqual([])
    await write('a', state)
    await streams.check()
    expect(cut).toEqual(['a'])
  })

  test('when the grant is gone, or the operator lets its agent in no more', async () => {
    const { streams, cut, add } = await world({ denied: 'live' })
    add('gone')
    add('denied', { clientDid: 'did:ath:denied' })
    await streams.check()
    expect(cut.sort()).toEqual(['denied', 'gone'])
  })

  test.each<[string, () => Promise<never>]>([
    ['fails', () => Promise.reject(new AthError('store_unavailable', 'down'))],
    ['stalls', () => new Promise(() => undefined)],
  ])('all of them, while a store that %s can say of none for 4 s', async (_, outage) => {
    const { clock, streams, cut, add, fail } = await world({ a: 'live' })
    add('a')
    const down = outage()
    down.catch(() => undefined)
    fail(down)
    void streams.check()
    clock.ms += 4000
    void streams.check()
    expect(cut).toEqual([])
    clock.ms += 1
    void streams.check()
    expect(cut).toEqual(['a'])
    expect(streams.size).toBe(0)
  })
})
