import { describe, expect, test } from 'vitest'
import {
  addCredential,
  type ConnectOptions,
  createAgent,
  forgetServer,
  pinServer,
} from '../../src/agent/index.ts'
import { AthError } from '../../src/errors.ts'
import { createUser } from '../../src/user/index.ts'
import { createFake } from './fake-server.ts'
import { vaultInMemory } from './vault-in-memory.ts'
import { NOW, ORIGIN, party, refusal, world } from './world.ts'

const scopes = ['goods:read', 'order:create']

async function withVault(more: { trustOnFirstUse?: boolean } = {}) {
  const made = await world({})
  const vault = await vaultInMemory()
  const identity = await vault.identity()
  let fetch = made.fake.fetch
  const agent = createAgent({
    identity,
    vault,
    now: () => NOW,
    fetch: (url, init) => fetch(url, init),
    sleep: async () => undefined,
    ...more,
  })
  const authorize = (options: { audience?: readonly string[]; seconds?: number; scopes?: string[] } = {}) =>
    made.user.authorize({
      clientDid: identity.did,
      scopes: options.scopes ?? scopes,
      expiresInSeconds: options.seconds ?? 7200,
      ...(options.audience === undefined ? {} : { audience: options.audience }),
    })
  const connect = (wish: Partial<ConnectOptions> = {}) => agent.connect(ORIGIN, { scopes, ...wish })
  /** Another server takes over the address. */
  const replaceServer = async () => {
    const server = await party()
    fetch = createFake({ server, clock: { now: NOW } }).fetch
    return server
  }
  return { ...made, vault, agent, authorize, connect, replaceServer }
}

const trouble = (work: Promise<unknown>) =>
  work.then(
    () => 'connected',
    (error: unknown) => (error instanceof AthError ? error.trouble : String(error)),
  )

describe('credentials in the vault', () => {
  test('the one that fits is found', async () => {
    const { vault, authorize, connect, server } = await withVault()
    await addCredential(vault, await authorize({ audience: ['did:ath:another'] }))
    expect(await trouble(connect())).toBe('credential_missing')
    await addCredential(vault, await authorize({ audience: [server.did], scopes: ['goods:read'] }))
    expect(await trouble(connect({ serverDid: server.did }))).toBe('credential_missing')
    await addCredential(vault, await authorize({ audience: [server.did] }))
    const session = await connect({ serverDid: server.did })
    expect(session.grant.scopes).toEqual(scopes)
  })

  test('one for another agent is not, nor one that has ended, which is thrown away', async () => {
    const { vault, authorize, connect, user } = await withVault({ trustOnFirstUse: true })
    const foreign = await user.authorize({
      clientDid: 'did:ath:somebody_else',
      scopes,
      expiresInSeconds: 7200,
    })
    await addCredential(vault, foreign)
    const past = createUser({ identity: await party(), now: () => NOW - 10_000 })
    const { did } = await vault.identity()
    await addCredential(vault, await past.authorize({ clientDid: did, scopes, expiresInSeconds: 60 }))
    expect((await vault.entries('credential')).size).toBe(2)
    expect(await trouble(connect())).toBe('credential_missing')
    expect((await vault.entries('credential')).size).toBe(1)
    await addCredential(vault, await authorize())
    await expect(connect()).resolves.toBeDefined()
  })

  test('nothing that is no credential is put there', async () => {
    const { vault } = await withVault()
    await expect(addCredential(vault, 'not a JWT')).rejects.toThrow()
  })

  test('without a vault, one must be given', async () => {
    const made = await world()
    await expect(made.agent.connect(ORIGIN, { scopes })).rejects.toThrow(TypeError)
  })
})

describe('trust on first use (ATH-6.1.5)', () => {
  test('a server that was taken at its word is remembered; another at its address is a loud error', async () => {
    const { vault, authorize, connect, server, replaceServer } = await withVault({ trustOnFirstUse: true })
    const authorization = await authorize()
    await connect({ authorization })
    expect((await vault.entries('server')).get(ORIGIN)).toBe(server.did)
    await connect({ authorization })
    const other = await replaceServer()
    expect(await trouble(connect({ authorization }))).toBe('server_changed')
    await forgetServer(vault, `${ORIGIN}/any/path`)
    await connect({ authorization })
    expect((await vault.entries('server')).get(ORIGIN)).toBe(other.did)
  })

  test('what vouches for the new server goes before memory', async () => {
    const { authorize, connect, replaceServer } = await withVault({ trustOnFirstUse: true })
    await connect({ authorization: await authorize() })
    const other = await replaceServer()
    await expect(
      connect({ authorization: await authorize({ audience: [other.did] }) }),
    ).resolves.toBeDefined()
  })

  test('a server that something vouches for is not remembered, and nobody is without opting in', async () => {
    const { vault, authorize, connect, server } = await withVault()
    await connect({ authorization: await authorize({ audience: [server.did] }) })
    expect((await vault.entries('server')).size).toBe(0)
    expect(await refusal(connect({ authorization: await authorize() }))).toBe('identity_unknown')
  })
})

describe('a server pinned in the vault', () => {
  test('is the one, whatever vouches for another; forgotten, it is no more', async () => {
    const { vault, authorize, connect, server, replaceServer } = await withVault()
    // Nothing else vouches for it.
    const authorization = await authorize()
    await pinServer(vault, `${ORIGIN}/any/path`, server.did)
    await expect(connect({ authorization })).resolves.toBeDefined()
    const other = await replaceServer()
    const vouching = await authorize({ audience: [other.did] })
    expect(await trouble(connect({ authorization: vouching }))).toBe('server_changed')
    expect((await vault.entries('server')).get(ORIGIN)).toEqual({ pinned: server.did })
    await forgetServer(vault, ORIGIN)
    await expect(connect({ authorization: vouching })).resolves.toBeDefined()
  })

  test('another one that the caller asks for by its DID is another wish; what is no DID is not pinned', async () => {
    const { vault, authorize, connect, replaceServer, server } = await withVault()
    await pinServer(vault, ORIGIN, server.did)
    const other = await replaceServer()
    const authorization = await authorize({ audience: [other.did] })
    await expect(connect({ authorization, serverDid: other.did })).resolves.toBeDefined()
    await expect(pinServer(vault, ORIGIN, 'the shop')).rejects.toThrow()
  })
})
