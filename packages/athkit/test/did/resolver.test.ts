import { beforeEach, describe, expect, test } from 'vitest'
import { createResolver, type DidMethod, type Resolution } from '../../src/did/index.ts'
import { refuse } from '../../src/errors.ts'

const did = 'did:example:agent'
const at = (version: number): Resolution => ({ document: { id: did, version } })

let now: number
let asked: number
let answer: () => Promise<Resolution | undefined>
beforeEach(() => {
  now = 1_717_200_000
  asked = 0
  answer = async () => at(asked)
})

function open() {
  const find: DidMethod = () => {
    asked++
    return answer()
  }
  return createResolver({ methods: new Map([['example', find]]), now: () => now })
}

describe('the cache (ATH-4.4)', () => {
  test('keeps a document for 300 s', async () => {
    const resolver = open()
    expect(await resolver.resolve(did)).toEqual(at(1))
    now += 299
    expect(await resolver.resolve(did)).toEqual(at(1))
    now += 1
    expect(await resolver.resolve(did)).toEqual(at(2))
  })

  test('keeps a failure for 10 s', async () => {
    const resolver = open()
    answer = async () => undefined
    await expect(resolver.resolve(did)).rejects.toMatchObject({ error: 'identity_unknown' })
    answer = async () => at(2)
    now += 9
    await expect(resolver.resolve(did, { fresh: true })).rejects.toMatchObject({ error: 'identity_unknown' })
    now += 1
    expect(await resolver.resolve(did)).toEqual(at(2))
    expect(asked).toBe(2)
  })

  test('is passed over after a key mismatch, once per DID and minute', async () => {
    const resolver = open()
    await resolver.resolve(did)
    expect(await resolver.resolve(did, { fresh: true })).toEqual(at(2))
    expect(await resolver.resolve(did, { fresh: true })).toEqual(at(2))
    now += 59
    expect(await resolver.resolve(did, { fresh: true })).toEqual(at(2))
    now += 1
    expect(await resolver.resolve(did, { fresh: true })).toEqual(at(3))
    expect(await resolver.resolve(did)).toEqual(at(3))
  })

  test('counts for less where less is asked for, and a key mismatch has its look all the same', async () => {
    const resolver = open()
    await resolver.resolve(did)
    now += 59
    expect(await resolver.resolve(did, { maxAgeSeconds: 60 })).toEqual(at(1))
    now += 1
    expect(await resolver.resolve(did, { maxAgeSeconds: 60 })).toEqual(at(2))
    expect(await resolver.resolve(did, { fresh: true })).toEqual(at(3))
    now += 60
    answer = () => Promise.reject(new Error('out of reach'))
    expect(await resolver.resolve(did, { maxAgeSeconds: 60 })).toEqual(at(3))
    expect(await resolver.resolve(did)).toEqual(at(3))
  })

  test('a look that is under way is everybody’s who meets another key meanwhile', async () => {
    const resolver = open()
    await resolver.resolve(did)
    const both = await Promise.all([
      resolver.resolve(did, { fresh: true }),
      resolver.resolve(did, { fresh: true }),
    ])
    expect(both).toEqual([at(2), at(2)])
    expect(asked).toBe(2)
  })

  test('still counts while a registry is out of reach, whoever shows a wrong key meanwhile (ATH-4.3)', async () => {
    const resolver = open()
    await resolver.resolve(did)
    answer = () => Promise.reject(new Error('out of reach'))
    expect(await resolver.resolve(did, { fresh: true })).toEqual(at(1))
    expect(await resolver.resolve(did)).toEqual(at(1))
    now += 300
    await expect(resolver.resolve(did)).rejects.toMatchObject({
      error: 'resolver_unavailable',
      retryAfter: 10,
    })
  })

  test('does not keep a document that has gone when it is looked for anew', async () => {
    const resolver = open()
    await resolver.resolve(did)
    answer = async () => undefined
    await expect(resolver.resolve(did, { fresh: true })).rejects.toMatchObject({ error: 'identity_unknown' })
    await expect(resolver.resolve(did)).rejects.toMatchObject({ error: 'identity_unknown' })
  })

  test('does not keep what a requester may not do', async () => {
    const resolver = open()
    answer = () => Promise.reject(refuse('rate_limited', 'too much'))
    await expect(resolver.resolve(did)).rejects.toMatchObject({ error: 'rate_limited' })
    answer = async () => at(7)
    expect(await resolver.resolve(did)).toEqual(at(7))
  })

  test('gives everybody who asks at once the one answer, and nobody cuts it short for the others', async () => {
    const resolver = open()
    let release = (): void => undefined
    answer = () => new Promise((resolve) => (release = () => resolve(at(1))))
    const gone = new AbortController()
    const first = resolver.resolve(did, { signal: gone.signal })
    const second = resolver.resolve(did)
    gone.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    release()
    expect(await second).toEqual(at(1))
    expect(asked).toBe(1)
  })
})

test.each<[string, string, DidMethod]>([
  [
    'a method that finds another DID',
    'identity_unknown',
    async () => ({ document: { id: 'did:example:b' } }),
  ],
  ['a method that cannot find out', 'resolver_unavailable', () => Promise.reject(new Error('down'))],
])('%s', async (_, error, find) => {
  const resolver = createResolver({ methods: new Map([['example', find]]) })
  await expect(resolver.resolve(did)).rejects.toMatchObject({ error })
})

test('a method nobody added is not resolved (ATH-4.2), and key forms cannot be replaced', async () => {
  await expect(createResolver().resolve(did)).rejects.toMatchObject({ error: 'identity_unknown' })
  const key = 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp'
  const find: DidMethod = async () => ({ document: { id: key, stolen: true } })
  const { document } = await createResolver({ methods: new Map([['key', find]]) }).resolve(key)
  expect(document.stolen).toBeUndefined()
})
