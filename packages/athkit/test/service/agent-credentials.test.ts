import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signJwt } from '../../src/crypto/jws.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import {
  createMemoryRegistry,
  createResolver,
  type DidState,
  deactivateOperation,
  rotateKeyOperation,
} from '../../src/did/index.ts'
import * as h from '../../src/handshake/index.ts'
import type { AgentCredentials } from '../../src/service/index.ts'
import { NAME, named } from '../did/names.ts'
import { entry, issuing, statusList } from '../did/status-list-world.ts'
import { agentOf, NOW, shop } from './shop.ts'

const TYPE = 'AgentOperatorCredential'

let issuer: Awaited<ReturnType<typeof issuing>>
let list: () => Promise<string>
beforeEach(async () => {
  issuer = await issuing()
  list = () => statusList(issuer, [7])
})

const trusting = (more: Partial<AgentCredentials> = {}): AgentCredentials => ({
  types: [TYPE],
  issuers: [issuer.did],
  fetch: async () => new Response(await list()),
  ...more,
})

type World = Awaited<ReturnType<typeof shop>>

function credential(at: World, edit: JsonObject = {}, by = issuer): Promise<string> {
  return signJwt(by.signer, 'vc+jwt', {
    '@context': ['https://www.w3.org/ns/credentials/v2'],
    type: ['VerifiableCredential', TYPE],
    issuer: by.did,
    credentialSubject: { id: at.agent.did, operator: 'Example Ltd' },
    validFrom: '2024-05-31T00:00:00Z',
    ...edit,
  })
}

/** m3 with these credentials, up to its answer. */
async function prove(at: World, credentials: readonly string[]) {
  const agent = await agentOf(at)
  const m3 = await h.createIdentityProof({ client: at.agent, response: agent.m2, credentials, now: NOW })
  return agent.post(m3)
}

const INVALID = {
  status: 401,
  body: { type: 'identity_result', success: false, error: { error: 'credential_invalid' } },
}

describe('a credential of a third party in m3 (ATH-6.1.6)', () => {
  test('of a trusted issuer lets the agent in', async () => {
    const at = await shop({ agentCredentials: trusting({ required: true }) })
    expect(await prove(at, [await credential(at)])).toMatchObject({ status: 200, body: { success: true } })
  })

  test.each<[string, (at: World) => Promise<readonly string[]>]>([
    ['of an issuer whom nobody trusts', async (at) => [await credential(at, {}, await issuing())]],
    ['about another agent', async (at) => [await credential(at, { credentialSubject: { id: at.user.did } })]],
    ['that has ended', async (at) => [await credential(at, { validUntil: '2024-06-01T00:00:00Z' })]],
    ['signed by another', async (at) => [await credential(at, { issuer: (await issuing()).did })]],
    [
      'that says it is of the trusted issuer, signed by the agent itself',
      async (at) => [await credential(at, {}, { ...issuer, signer: at.agent.signer })],
    ],
    ['that was taken back', async (at) => [await credential(at, { credentialStatus: entry(7) })]],
    [
      'whose status is of a kind not known here',
      async (at) => [await credential(at, { credentialStatus: { type: 'OtherStatus' } })],
    ],
    [
      'that is good, with another that is not',
      async (at) => [await credential(at), await credential(at, { exp: NOW })],
    ],
  ])('%s ends the handshake: 401 credential_invalid', async (_, make) => {
    const at = await shop({ agentCredentials: trusting() })
    expect(await prove(at, await make(at))).toMatchObject(INVALID)
  })

  test('that was not taken back lets the agent in', async () => {
    const at = await shop({ agentCredentials: trusting() })
    const shown = [await credential(at, { credentialStatus: entry(6) })]
    expect(await prove(at, shown)).toMatchObject({ status: 200 })
  })

  test('of another type is ignored, whatever it says', async () => {
    const at = await shop({ agentCredentials: trusting() })
    const other = await credential(at, { type: 'OtherCredential', exp: 1 }, await issuing())
    expect(await prove(at, [other, 'no credential'])).toMatchObject({ status: 200 })
  })

  test('is ignored by a service that was told of none', async () => {
    const at = await shop()
    expect(await prove(at, [await credential(at, { exp: 1 })])).toMatchObject({ status: 200 })
  })
})

describe('what a service requires', () => {
  test('any of its types, or each of those it names', async () => {
    const types = [TYPE, 'AuditCredential']
    const any = await shop({ agentCredentials: trusting({ types, required: true }) })
    expect(await prove(any, [])).toMatchObject(INVALID)
    expect(await prove(any, [await credential(any)])).toMatchObject({ status: 200 })
    const each = await shop({ agentCredentials: trusting({ types, required: types }) })
    expect(await prove(each, [await credential(each)])).toMatchObject(INVALID)
    const both = [await credential(each), await credential(each, { type: ['AuditCredential'] })]
    expect(await prove(each, both)).toMatchObject({ status: 200 })
  })

  test('is not met by one that is ignored, or by m3 without credentials', async () => {
    const at = await shop({ agentCredentials: trusting({ required: [TYPE] }) })
    expect(await prove(at, [await credential(at, { type: 'OtherCredential' })])).toMatchObject(INVALID)
    const agent = await agentOf(at)
    expect(await agent.post(agent.m3)).toMatchObject(INVALID)
  })
})

test('a status list out of reach is 503, takes no step, and m3 sent again goes on', async () => {
  const at = await shop({ agentCredentials: trusting() })
  const agent = await agentOf(at)
  list = () => Promise.reject(new Error('out of reach'))
  const shown = [await credential(at, { credentialStatus: entry(6) })]
  const m3 = await h.createIdentityProof({
    client: at.agent,
    response: agent.m2,
    credentials: shown,
    now: NOW,
  })
  expect(await agent.post(m3)).toMatchObject({ status: 503, body: { error: 'resolver_unavailable' } })
  list = () => statusList(issuer, [])
  at.clock.now += 10
  expect(await agent.post(m3)).toMatchObject({ status: 200 })
})

describe('an issuer with a name in a registry', () => {
  async function world() {
    const registry = createMemoryRegistry({ now: () => NOW })
    const authority = await named()
    await registry.submit(authority.create)
    let asked = 0
    const lookup = (did: string) => {
      asked++
      return registry.lookup(did)
    }
    const at = await shop({
      resolver: createResolver({ registry: { lookup }, now: () => NOW }),
      agentCredentials: trusting({ issuers: [NAME] }),
    })
    const state = () => registry.state(NAME) as Promise<DidState>
    return { registry, authority, at, state, asked: () => asked }
  }

  test('is believed under a key that it took after its document was read', async () => {
    const { registry, authority, at, state } = await world()
    const by = (signer: typeof authority.speaking) => ({ ...issuer, did: NAME, signer })
    expect(await prove(at, [await credential(at, {}, by(authority.speaking))])).toMatchObject({ status: 200 })
    const next = await generateSigner()
    const rotate = { state: await state(), signers: [authority.controlling], now: NOW }
    await registry.submit(
      await rotateKeyOperation({ ...rotate, from: authority.speaking.publicKey, to: next }),
    )
    expect(await prove(at, [await credential(at, {}, by(next))])).toMatchObject({ status: 200 })
    expect(await prove(at, [await credential(at, {}, by(authority.speaking))])).toMatchObject(INVALID)
  })

  test('is not believed once it is deactivated, whatever keys its document still lists', async () => {
    const { did, document } = issuer
    const built = createResolver()
    const at = await shop({
      resolver: {
        resolve: async (asked, options) =>
          asked === did ? { document, deactivated: true } : built.resolve(asked, options),
      },
      agentCredentials: trusting(),
    })
    expect(await prove(at, [await credential(at)])).toMatchObject(INVALID)
  })

  test('is not believed once it is deactivated, and not asked for unless it is trusted', async () => {
    const { registry, authority, at, state, asked } = await world()
    const change = { state: await state(), signers: [authority.controlling], now: NOW }
    await registry.submit(await deactivateOperation(change))
    const by = { ...issuer, did: NAME, signer: authority.speaking }
    expect(await prove(at, [await credential(at, {}, by)])).toMatchObject(INVALID)
    const before = asked()
    expect(await prove(at, [await credential(at, { issuer: 'did:ath:nobody' }, by)])).toMatchObject(INVALID)
    expect(asked()).toBe(before)
  })
})

describe('createService refuses', () => {
  test.each<[string, Partial<AgentCredentials>, RegExp]>([
    ['no types', { types: [] }, /types: name/],
    ['the type that every credential has', { types: ['VerifiableCredential'] }, /every one/],
    ['no issuers', { issuers: [] }, /issuers: name/],
    ['an issuer that is no DID', { issuers: ['issuer.example'] }, /no DID/],
    ['a required type that is not among the types', { required: ['Other'] }, /"Other" is not among/],
  ])('%s', async (_, more, message) => {
    await expect(shop({ agentCredentials: trusting(more) })).rejects.toThrow(message)
  })
})

test('createService knows streamingRoutes', async () => {
  await expect(shop({ streamingRoutes: () => true })).resolves.toBeDefined()
})
