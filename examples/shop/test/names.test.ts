import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAgent } from '../../../packages/athkit/src/agent/index.ts'
import { generateSigner } from '../../../packages/athkit/src/crypto/keys.ts'
import { didFromKey } from '../../../packages/athkit/src/did/did.ts'
import { namedDocument } from '../../../packages/athkit/src/did/edit.ts'
import { createUser } from '../../../packages/athkit/src/user/index.ts'
import { makeLocalCertificates } from '../../../packages/cli/src/loopback/index.ts'
import { createPeople } from '../../../packages/cli/test/ath.ts'
import { type RunningRegistry, startRegistry } from '../../../packages/cli/test/registry.ts'
import { fetchWith } from './fetch-with.ts'

const party = async () => {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}

const people = createPeople()
const { at, ath, shop, end } = people
const [AGENT, USER, SHOP] = ['did:ath:agent_001', 'did:ath:user_001', 'did:ath:shop_001']
let registry: RunningRegistry
let origin = ''

beforeAll(async () => {
  registry = await startRegistry(people, 'registry')
  const there = ['--registry', registry.origin, '--ca', registry.ca]
  await Promise.all([
    ath('agent', 'did', 'register', AGENT, ...there),
    ath('user', 'did', 'register', USER, ...there),
  ])
  const with_ = ['--registry', registry.origin, '--registry-ca', registry.ca, '--resolve-loopback']
  const service = await shop('--enrol', USER, '--did', SHOP, ...with_)
  origin = service.origin
  expect(service.server_did).toBe(SHOP)
}, 60_000)
afterAll(end)

const SCOPES = ['--scopes', 'goods:read']
const authorize = (out: string) =>
  ath('user', 'authorize', '--client', AGENT, ...SCOPES, '--aud', SHOP, '--out', at(out), '--json')
const where = () => [origin, '--ca', at('ca.pem'), '--server', SHOP]
const confirm = () => ath('user', 'confirm', ...where(), '--approve', '--json')

test('three parties with names: a key is exchanged while a session lives, and the next handshake uses the new one', async () => {
  expect((await authorize('m0')).last).toMatchObject({ ok: true, user_did: USER, client_did: AGENT })
  const connect = ['connect', ...where(), ...SCOPES, '--authorization', at('m0'), '--json']
  const [kept] = await Promise.all([ath('agent', ...connect, '--keep'), confirm()])
  expect(kept.last).toMatchObject({ ok: true, scopes_granted: ['goods:read'] })
  expect((await ath('agent', 'did', 'rotate', '--json')).last).toMatchObject({ ok: true, seq: 1 })
  expect((await ath('agent', 'request', 'GET /api/goods', '--json')).last).toMatchObject({
    ok: true,
    status: 200,
  })
  // The shop has the old document in its cache; the new key passes it over (ATH-4.4).
  const [again] = await Promise.all([ath('agent', ...connect, '--request', 'GET /api/goods'), confirm()])
  expect(again.last).toMatchObject({ ok: true, responses: [{ status: 200 }] })
  // So does the user's: a credential signed by a key that the shop has never seen.
  expect((await ath('user', 'did', 'rotate', '--json')).last).toMatchObject({ ok: true })
  await authorize('m0')
  const [third] = await Promise.all([ath('agent', ...connect), confirm()])
  expect(third.last).toMatchObject({ ok: true, scopes_granted: ['goods:read'] })
}, 90_000)

test('an agent whose DID is a web page on this machine, where that is allowed', async () => {
  const { ca, cert, key } = await makeLocalCertificates()
  const signer = await generateSigner()
  const web = createServer({ cert, key, minVersion: 'TLSv1.3' })
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  const did = `did:web:localhost%3A${(web.address() as AddressInfo).port}`
  web.on('request', (_, response) => {
    const keys = { authentication: [signer.publicKey], capabilityInvocation: [] }
    response.setHeader('content-type', 'application/did+json').end(JSON.stringify(namedDocument(did, keys)))
  })
  try {
    writeFileSync(at('web.pem'), ca + readFileSync(registry.ca, 'utf8'))
    const both = ['--registry', registry.origin, '--registry-ca', at('web.pem'), '--enrol', USER]
    const stranger = createUser({ identity: await party() })
    const scopes = ['goods:read']
    const authorization = await stranger.authorize({ clientDid: did, scopes, expiresInSeconds: 60 })
    const refusals = []
    for (const allowed of [['--resolve-loopback'], []]) {
      const { origin: there, server_did: serverDid } = await shop(...both, ...allowed)
      const agent = createAgent({
        identity: { did, signer },
        fetch: fetchWith(readFileSync(at('ca.pem'), 'utf8')),
      })
      const connected = agent.connect(there, { authorization, scopes, serverDid })
      refusals.push(await connected.catch((error: { error?: string }) => error.error))
    }
    // With it, the agent is known and only its user is not; without it, nobody looks here.
    expect(refusals).toEqual(['credential_invalid', 'identity_unknown'])
  } finally {
    web.close().closeAllConnections()
  }
}, 60_000)
