import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner, type Signer } from '../../src/crypto/keys.ts'
import {
  addKeyOperation,
  applyOperation,
  type DidState,
  deactivateOperation,
  keysOf,
  namedDocument,
  registerOperation,
  removeKeyOperation,
  rotateKeyOperation,
  updateOperation,
} from '../../src/did/index.ts'
import { NOW, named } from './names.ts'

let shop: Awaited<ReturnType<typeof named>>
let other: Signer
let state: DidState
beforeEach(async () => {
  ;[shop, other] = await Promise.all([named(), generateSigner()])
  state = await applyOperation(shop.create, undefined)
})
const change = () => ({ state, signers: [shop.controlling], now: NOW })

test('a key that stands in several places is exchanged in all of them, and nothing else is', async () => {
  const key = await generateSigner()
  const keys = { authentication: [key.publicKey], capabilityInvocation: [key.publicKey] }
  const service = [{ id: '#ath', type: 'AthService', serviceEndpoint: 'https://shop.example' }]
  const document = namedDocument(shop.did, keys, service)
  const before = await applyOperation(
    await registerOperation({ document, signers: [key], now: NOW }),
    undefined,
  )
  const rotate = { state: before, from: key.publicKey, to: other, signers: [key], now: NOW }
  const { document: after } = await applyOperation(await rotateKeyOperation(rotate), before)
  for (const name of ['authentication', 'assertionMethod', 'capabilityInvocation'] as const) {
    expect((await keysOf(after ?? { id: '' }, name)).map(({ thumbprint }) => thumbprint)).toEqual([
      other.publicKey.thumbprint,
    ])
  }
  expect(after).toMatchObject({ id: shop.did, service, verificationMethod: [expect.anything()] })
})

test('a key that is embedded is removed where it stands', async () => {
  const [method] = shop.document.verificationMethod as readonly { id: string }[]
  const embedded = { ...shop.document, verificationMethod: [], authentication: [method ?? null] }
  const keys = namedDocument(shop.did, {
    authentication: [],
    capabilityInvocation: [shop.controlling.publicKey],
  })
  const document = { ...embedded, verificationMethod: keys.verificationMethod, assertionMethod: [] }
  const before = { ...state, document }
  const { document: after } = (await removeKeyOperation({
    ...change(),
    state: before,
    key: shop.speaking.publicKey,
  })) as { document: { authentication: unknown[] } }
  expect(after.authentication).toEqual([])
})

test('a key that is there already is listed once more, not twice', async () => {
  const operation = await addKeyOperation({
    ...change(),
    key: shop.speaking,
    relationships: ['authentication', 'capabilityInvocation'],
  })
  const after = (await applyOperation(operation, state)).document
  expect(after?.verificationMethod).toHaveLength(2)
  expect(after?.authentication).toHaveLength(1)
  expect(after?.capabilityInvocation).toHaveLength(2)
})

describe('every key being added signs (ATH-4.6), wherever in the document it stands', () => {
  const methods = () => shop.document.verificationMethod as readonly JsonObject[]
  const method = () => ({
    id: `${shop.did}#new`,
    type: 'JsonWebKey',
    controller: shop.did,
    publicKeyJwk: { ...other.publicKey.jwk },
  })
  test.each<[string, () => JsonObject]>([
    ['listed for nothing', () => ({ verificationMethod: [...methods(), method()] })],
    ['embedded for key agreement', () => ({ keyAgreement: [method()] })],
    ['embedded to delegate', () => ({ capabilityDelegation: [method()] })],
  ])('%s', async (_, more) => {
    const document = { ...shop.document, ...more() }
    await expect(updateOperation({ ...change(), document })).rejects.toThrow(/is added and has to sign/)
    const signed = await updateOperation({ ...change(), document, signers: [shop.controlling, other] })
    const { seq } = await applyOperation(signed, state)
    expect(seq).toBe(1)
    const signatures = signed.signatures.filter(({ kid }) => kid !== other.publicKey.thumbprint)
    await expect(applyOperation({ ...signed, signatures } as unknown as JsonObject, state)).rejects.toThrow(
      /a key being added has not signed/,
    )
    // Whoever has it removed finds no trace of it left.
    const after = await applyOperation(signed, state)
    const removed = await removeKeyOperation({ ...change(), state: after, key: other.publicKey })
    expect(JSON.stringify(removed.document)).not.toContain(other.publicKey.jwk.x)
  })
})

describe('what a registry would refuse is a TypeError before it is sent', () => {
  test.each<[string, RegExp, () => Promise<unknown>]>([
    [
      'a DID without a name',
      /not a named did:ath/,
      () =>
        registerOperation({ document: { ...shop.document, id: 'did:web:a.example' }, signers: [], now: NOW }),
    ],
    [
      'nobody who controls signs',
      /none of the signers controls/,
      () => updateOperation({ ...change(), signers: [shop.speaking], document: shop.document }),
    ],
    [
      'a key that is added does not sign',
      /is added and has to sign/,
      () =>
        updateOperation({
          ...change(),
          document: namedDocument(shop.did, {
            authentication: [other.publicKey],
            capabilityInvocation: [shop.controlling.publicKey],
          }),
        }),
    ],
    [
      'somebody signs who has nothing to do with it',
      /in neither document/,
      () => updateOperation({ ...change(), signers: [shop.controlling, other], document: shop.document }),
    ],
    [
      'the last controlling key is removed',
      /last controlling key/,
      () => removeKeyOperation({ ...change(), key: shop.controlling.publicKey }),
    ],
    [
      'a key is removed that is not there',
      /no such key/,
      () => removeKeyOperation({ ...change(), key: other.publicKey }),
    ],
    [
      'a key is exchanged that is not there',
      /no such key/,
      () => rotateKeyOperation({ ...change(), from: other.publicKey, to: other }),
    ],
    [
      'anything after the end',
      /deactivated/,
      () => deactivateOperation({ ...change(), state: { ...state, document: null, deactivated: true } }),
    ],
  ])('%s', async (_, message, make) => {
    await expect((async () => make())()).rejects.toThrow(message)
    await expect((async () => make())()).rejects.toThrow(TypeError)
  })
})

test('an operation of another DID does not follow, whoever signed it (ATH-4.6)', async () => {
  const elsewhere = { ...state, did: 'did:ath:another_shop' }
  const end = await deactivateOperation({ ...change(), state: elsewhere })
  await expect(applyOperation(end, state)).rejects.toMatchObject({ error: 'out_of_order' })
  await expect(applyOperation(await deactivateOperation(change()), state)).resolves.toMatchObject({
    deactivated: true,
  })
})

test("a key that the document says is another's is no key of the DID", async () => {
  const methods = shop.document.verificationMethod as readonly JsonObject[]
  const foreign = methods.map((method) => ({ ...method, controller: 'did:ath:another_shop' }))
  expect(await keysOf({ ...shop.document }, 'authentication')).toHaveLength(1)
  expect(await keysOf({ ...shop.document, verificationMethod: foreign }, 'authentication')).toEqual([])
})
