import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import { signLabelled } from '../../src/crypto/signature.ts'
import {
  addKeyOperation,
  createResolver,
  type DidState,
  deactivateOperation,
  documentOfKey,
  keysOf,
  type Registry,
  removeKeyOperation,
  rotateKeyOperation,
  updateOperation,
  verifyHistory,
} from '../../src/did/index.ts'
import type { ErrorName } from '../../src/errors.ts'
import { NAME, NOW, named, registration } from './names.ts'

const refusal = (error: ErrorName) => expect.objectContaining({ error })

/** What holds of every registry, wherever it keeps its entries. */
export function registryContract(make: () => Promise<Registry> | Registry): void {
  let registry: Registry
  let shop: Awaited<ReturnType<typeof named>>
  beforeEach(async () => {
    registry = await make()
    shop = await named()
  })
  const registered = () => registry.submit(shop.create)
  const change = (state: DidState) => ({ state, signers: [shop.controlling], now: NOW })
  const submit = async (operation: unknown) => registry.submit((await operation) as JsonObject)
  const thumbprints = async (state: DidState, relationship: 'authentication' | 'capabilityInvocation') =>
    (await keysOf(state.document ?? { id: '' }, relationship)).map(({ thumbprint }) => thumbprint)

  test('what is registered resolves, and its history is verified without the registry', async () => {
    const state = await registered()
    expect(state).toMatchObject({ did: NAME, seq: 0, deactivated: false, document: shop.document })
    expect(await registry.state(NAME)).toEqual(state)
    const resolver = createResolver({ registry, now: () => NOW })
    expect(await resolver.resolve(NAME)).toMatchObject({ document: shop.document, deactivated: false })
    const operations = await registry.history(NAME)
    expect(await verifyHistory(operations, { seen: null, taken: [] })).toEqual(state)
  })

  test('keys are added, rotated and removed, and the DID is ended; every step stays in its history', async () => {
    const [second, third] = await Promise.all([generateSigner(), generateSigner()])
    const first = await registered()
    const added = await submit(
      addKeyOperation({ ...change(first), key: second, relationships: ['authentication'] }),
    )
    expect(await thumbprints(added, 'authentication')).toEqual([
      shop.speaking.publicKey.thumbprint,
      second.publicKey.thumbprint,
    ])
    const removed = await submit(removeKeyOperation({ ...change(added), key: shop.speaking.publicKey }))
    expect(await thumbprints(removed, 'authentication')).toEqual([second.publicKey.thumbprint])
    const rotated = await submit(
      rotateKeyOperation({ ...change(removed), from: shop.controlling.publicKey, to: third }),
    )
    expect(await thumbprints(rotated, 'capabilityInvocation')).toEqual([third.publicKey.thumbprint])
    const ended = await submit(deactivateOperation({ state: rotated, signers: [third], now: NOW }))
    expect(ended).toMatchObject({ seq: 4, deactivated: true, document: null })
    expect(await registry.lookup(NAME)).toMatchObject({ deactivated: true, document: { id: NAME } })
    const operations = await registry.history(NAME)
    const seen = { seq: added.seq, head: added.head }
    expect(await verifyHistory(operations, { seen, taken: [] })).toEqual(ended)
  })

  test('nothing follows a deactivation, and the name is not free again', async () => {
    const state = await registered()
    await submit(deactivateOperation(change(state)))
    const late = updateOperation({ ...change({ ...state, seq: 1 }), document: shop.document })
    await expect(submit(late)).rejects.toEqual(refusal('identity_revoked'))
    await expect(submit(shop.create)).rejects.toEqual(refusal('out_of_order'))
  })

  test('of ten that follow one state exactly one is taken, and the others say so', async () => {
    const state = await registered()
    const keys = await Promise.all(Array.from({ length: 10 }, () => generateSigner()))
    const rivals = await Promise.all(
      keys.map((key) => addKeyOperation({ ...change(state), key, relationships: ['authentication'] })),
    )
    const outcomes = await Promise.allSettled(rivals.map((rival) => registry.submit(rival)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toEqual(refusal('out_of_order'))
    }
    expect(await registry.history(NAME)).toHaveLength(2)
  })

  test('of two that register one name at once, in two spellings, one does', async () => {
    const rival = await named(NAME.replace('public', 'PUBLIC'))
    const outcomes = await Promise.allSettled([registry.submit(shop.create), registry.submit(rival.create)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test('a name is resolved as it was written, and no other spelling of it', async () => {
    await registered()
    const spelling = NAME.toUpperCase().replace('DID:ATH', 'did:ath')
    expect(await registry.lookup(spelling)).toBeUndefined()
    expect(await registry.history(spelling)).toEqual([])
    expect(await registry.state(spelling)).toBeUndefined()
  })

  describe('refuses', () => {
    test.each<[string, ErrorName, () => Promise<unknown>]>([
      [
        'a name that is taken',
        'out_of_order',
        async () => (await registration(NAME, shop.speaking, shop.controlling)).create,
      ],
      [
        'a name that differs from one only in case (ATH-4.1)',
        'out_of_order',
        async () => (await named('did:ath:Public_Shop_001')).create,
      ],
      [
        'a timestamp 301 seconds old',
        'timestamp_skew',
        async () => {
          const state = (await registry.state(NAME)) as DidState
          return updateOperation({ ...change(state), document: shop.document, now: NOW - 301 })
        },
      ],
      ['the same operation a second time', 'out_of_order', async () => (await registry.history(NAME))[0]],
      [
        'a seq that leaves one out',
        'out_of_order',
        async () => {
          const state = (await registry.state(NAME)) as DidState
          return updateOperation({ ...change({ ...state, seq: 1 }), document: shop.document })
        },
      ],
      [
        'an update by a key that speaks and does not control',
        'signature_invalid',
        async () => {
          const { seq, head, did } = (await registry.state(NAME)) as DidState
          const covered = {
            type: 'did_operation',
            did,
            op: 'update',
            seq: seq + 1,
            previous: head,
            document: shop.document,
            timestamp: NOW,
          }
          const kid = shop.speaking.publicKey.thumbprint
          const signature = await signLabelled(shop.speaking, 'did_operation', covered)
          return { ...covered, signatures: [{ kid, signature }] }
        },
      ],
      [
        'a document altered after it was signed',
        'signature_invalid',
        async () => {
          const state = (await registry.state(NAME)) as DidState
          const update = await updateOperation({ ...change(state), document: shop.document })
          return { ...update, document: { ...update.document, service: [] } }
        },
      ],
      [
        'two signatures of one key',
        'malformed_message',
        async () => {
          const state = (await registry.state(NAME)) as DidState
          const update = await updateOperation({ ...change(state), document: shop.document })
          return { ...update, signatures: [...update.signatures, ...update.signatures] }
        },
      ],
      ['what is no operation', 'malformed_message', async () => ({ type: 'did_operation', did: NAME })],
      ['nothing', 'malformed_message', async () => null],
      [
        'a DID of another method',
        'malformed_message',
        async () => ({ ...shop.create, did: 'did:web:shop.example' }),
      ],
    ])('%s', async (_, error, make) => {
      await registered()
      await expect(submit(make())).rejects.toEqual(refusal(error))
      expect(await registry.history(NAME)).toHaveLength(1)
    })

    test('names that decode as multikeys, or look like one (ATH-4.1)', async () => {
      const { publicKey } = shop.controlling
      const keyForm = documentOfKey('did:ath:x', publicKey).verificationMethod as { id: string }[]
      const multikey = keyForm[0]?.id.split('#')[1] as string
      for (const did of [`did:ath:${multikey}`, `did:ath:z${'1'.repeat(39)}`]) {
        const operation = { ...shop.create, did, document: { ...shop.document, id: did } }
        await expect(submit(operation)).rejects.toEqual(refusal('malformed_message'))
      }
    })
  })

  test('what it was given cannot be changed behind its back', async () => {
    const given = structuredClone(shop.create) as unknown as { document: { id: string } }
    const state = await registry.submit(given as unknown as JsonObject)
    given.document.id = 'did:ath:somebody_else'
    const operations = (await registry.history(NAME)) as unknown as { document: { id: string } }[]
    expect(operations[0]?.document.id).toBe(NAME)
    for (const { document } of operations) document.id = 'did:ath:somebody_else'
    const again = await registry.history(NAME)
    expect(await verifyHistory(again, { seen: null, taken: [] })).toEqual(state)
  })
}
