import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signJwt } from '../../src/crypto/jws.ts'
import { createResolver, memoryPins, registryResolver } from '../../src/did/index.ts'
import * as h from '../../src/handshake/index.ts'
import type { ServiceOptions } from '../../src/service/index.ts'
import { named } from '../did/names.ts'
import { issuing } from '../did/status-list-world.ts'
import { openRegistry, URL_OF_REGISTRY } from '../registry/world.ts'
import { agentOf, NOW, shop } from './shop.ts'

const DID = 'did:ath:ai_shopping_assistant_001'
const TYPE = 'AgentOperatorCredential'
const OWN_WORDS = { name: 'What it calls itself', developer: 'Its own words' }

/** What the user is shown of an agent (m6), whose document and message 3 say all sorts of things. */
async function shown({
  verifiesAgents = false,
  subject,
  ...more
}: Partial<ServiceOptions> & { readonly verifiesAgents?: boolean; readonly subject?: JsonObject }) {
  const registry = openRegistry()
  const service = [{ id: `${DID}#agent`, type: 'AthAgent', serviceEndpoint: OWN_WORDS }]
  const [agent, issuer] = await Promise.all([named(DID, service), issuing()])
  await registry.submit(agent.create)
  const resolving = { url: URL_OF_REGISTRY, fetch: registry.fetch, pins: memoryPins(), verifiesAgents }
  const at = await shop({
    resolver: createResolver({ registry: registryResolver(resolving), now: () => NOW }),
    agentCredentials: { types: [TYPE], issuers: [issuer.did] },
    ...more,
  })
  const client = { did: DID, signer: agent.speaking }
  const shaking = await agentOf(at, { agent: client })
  const vc = await signJwt(issuer.signer, 'vc+jwt', {
    '@context': ['https://www.w3.org/ns/credentials/v2'],
    type: ['VerifiableCredential', TYPE],
    issuer: issuer.did,
    credentialSubject: { id: DID, ...subject },
  })
  const credentials = subject === undefined ? [] : [vc]
  const m3 = {
    ...(await h.createIdentityProof({ client, response: shaking.m2, credentials, now: NOW })),
    ...OWN_WORDS,
  }
  expect(await shaking.post(m3)).toMatchObject({ status: 200 })
  const handshakeHash = await h.handshakeHash(shaking.m1, shaking.m2, m3)
  const m5 = await shaking.m5({ client, handshakeHash, context: JSON.stringify(OWN_WORDS) })
  expect(await shaking.post(m5)).toMatchObject({ status: 202 })
  const [question] = await at.wallet.pending()
  return question?.client_info
}

const CERTIFIED = { name: 'AI Shopping Assistant', developer: 'Example Ltd' }

test('an agent about which nobody else says anything is shown by nothing but its DID', async () => {
  expect(await shown({})).toEqual({})
})

test('what a credential of a trusted issuer says is shown, and no more of it than name and developer', async () => {
  expect(await shown({ subject: { ...CERTIFIED, colour: 'red', logo: 'https://evil.example' } })).toEqual(
    CERTIFIED,
  )
})

test.each([
  ['no text', { name: { bold: 'x' }, developer: 7 }],
  ['empty', { name: '' }],
  ['longer than a name is', { name: 'x'.repeat(201) }],
])('but not what is %s', async (_, subject) => {
  expect(await shown({ subject: subject as unknown as JsonObject })).toEqual({})
})

test('what its document says counts where the registry is configured as verifying it', async () => {
  expect(await shown({ verifiesAgents: true })).toEqual(OWN_WORDS)
  expect(await shown({ verifiesAgents: true, subject: { name: 'Certified' } })).toEqual({
    ...OWN_WORDS,
    name: 'Certified',
  })
})

test('the operator’s own record goes before all of it', async () => {
  const clientInfo = () => ({ name: 'As we know it', since: 2024 })
  expect(await shown({ verifiesAgents: true, subject: CERTIFIED, clientInfo })).toEqual({
    name: 'As we know it',
    developer: 'Example Ltd',
    since: 2024,
  })
})
