import { describe, expect, test } from 'vitest'
import { createMemoryRegistry, createResolver } from '../../src/did/index.ts'
import { NAME, NOW, named } from './names.ts'
import { registryContract } from './registry-contract.ts'

describe('a registry in memory', () => {
  registryContract(() => createMemoryRegistry({ now: () => NOW }))

  test('says whether it verifies origins (ATH-6.1.5)', async () => {
    const shop = await named()
    for (const verifiesOrigins of [true, false]) {
      const registry = createMemoryRegistry({ now: () => NOW, verifiesOrigins })
      await registry.submit(shop.create)
      const resolver = createResolver({ registry, now: () => NOW })
      expect(await resolver.resolve(NAME)).toMatchObject({ registry: { verifiesOrigins } })
    }
  })

  test('knows no DID that was not registered', async () => {
    const resolver = createResolver({ registry: createMemoryRegistry(), now: () => NOW })
    await expect(resolver.resolve('did:ath:nobody')).rejects.toMatchObject({ error: 'identity_unknown' })
  })
})
