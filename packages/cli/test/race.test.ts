import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateSigner } from '../../athkit/src/crypto/keys.ts'
import {
  addKeyOperation,
  type DidOperation,
  type DidState,
  namedDocument,
  registerOperation,
  verifyHistory,
} from '../../athkit/src/did/index.ts'
import { createRegistryClient } from '../../athkit/src/registry/index.ts'
import { fetchOver } from '../src/fetch.ts'
import { createPeople } from './ath.ts'
import { type RunningRegistry, startRegistry } from './registry.ts'

const people = createPeople()
/** Two processes on one SQLite file. */
let nodes: readonly RunningRegistry[]
beforeAll(async () => {
  nodes = [
    await startRegistry(people, 'first', [], 'shared'),
    await startRegistry(people, 'second', [], 'shared'),
  ]
}, 30_000)
afterAll(people.end)

const now = () => Math.floor(Date.now() / 1000)

const clientOf = (node: RunningRegistry) =>
  createRegistryClient({ url: node.origin, fetch: fetchOver(readFileSync(node.ca, 'utf8')) })

/** @returns the statuses, the successes first */
async function submitAll(operations: readonly DidOperation[]): Promise<readonly number[]> {
  const fetches = nodes.map((node) => fetchOver(readFileSync(node.ca, 'utf8')))
  const statuses = await Promise.all(
    operations.map(async (operation, n) => {
      const node = nodes[n % nodes.length] as RunningRegistry
      const response = await (fetches[n % nodes.length] as ReturnType<typeof fetchOver>)(
        `${node.origin}/1.0/operations`,
        { method: 'POST', body: JSON.stringify(operation), headers: { 'content-type': 'application/json' } },
      )
      await response.body?.cancel()
      return response.status
    }),
  )
  return statuses.sort((a, b) => a - b)
}

async function creation(did: string) {
  const signer = await generateSigner()
  const keys = [signer.publicKey]
  const document = namedDocument(did, { authentication: keys, capabilityInvocation: keys })
  return { signer, create: await registerOperation({ document, signers: [signer], now: now() }) }
}

test('of twenty that follow one state, over two processes, exactly one is taken, and both say the same history', async () => {
  const { signer, create } = await creation('did:ath:contended')
  expect(await submitAll([create])).toEqual([200])
  const clients = nodes.map(clientOf)
  const state = (await clients[0]?.state('did:ath:contended')) as DidState
  const keys = await Promise.all(Array.from({ length: 20 }, () => generateSigner()))
  const relationships = ['authentication'] as const
  const operations = await Promise.all(
    keys.map((key) => addKeyOperation({ state, key, relationships, signers: [signer], now: now() })),
  )
  expect(await submitAll(operations)).toEqual([200, ...Array(19).fill(409)])
  const histories = await Promise.all(clients.map((client) => client.history('did:ath:contended')))
  expect(histories[0]?.operations).toHaveLength(2)
  expect(histories[1]).toEqual(histories[0])
  expect(await verifyHistory(histories[0]?.operations ?? [], { seen: null, taken: [] })).toEqual(
    histories[0]?.state,
  )
}, 60_000)

test('of ten that want one name at once, in any spelling, one has it', async () => {
  const spellings = Array.from({ length: 10 }, (_, n) => `did:ath:${n % 2 === 0 ? 'Wanted' : 'wanted'}`)
  const creations = await Promise.all(spellings.map(creation))
  expect(await submitAll(creations.map(({ create }) => create))).toEqual([200, ...Array(9).fill(409)])
}, 60_000)
