import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import {
  createResolver,
  type DidState,
  deactivateOperation,
  rotateKeyOperation,
} from '../../src/did/index.ts'
import { createRegistry, createRegistryClient } from '../../src/registry/index.ts'
import { memory } from '../../src/store/memory.ts'
import { NAME, NOW, named } from '../did/names.ts'

test('over a socket: register, rotate, deactivate, and resolve in between', async () => {
  const registry = createRegistry({ store: memory(), clock: () => NOW * 1000 })
  const server = createServer(toNodeListener(registry.handler))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const client = createRegistryClient({ url, allowPlaintextOnLoopback: true })
    const shop = await named()
    const resolve = () => createResolver({ registry: client, now: () => NOW }).resolve(NAME)
    const change = async () => ({
      state: (await client.state(NAME)) as DidState,
      signers: [shop.controlling],
      now: NOW,
    })
    await client.submit(shop.create)
    expect((await resolve()).document).toEqual(shop.document)
    const to = await generateSigner()
    await client.submit(await rotateKeyOperation({ ...(await change()), from: shop.speaking.publicKey, to }))
    expect((await resolve()).document.authentication).not.toEqual(shop.document.authentication)
    await client.submit(await deactivateOperation(await change()))
    expect(await resolve()).toMatchObject({ deactivated: true })
    expect((await fetch(`${url}/1.0/identifiers/${NAME}`)).status).toBe(410)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
