import { expect, test } from 'vitest'
import { toBase64url } from '../../src/crypto/bytes.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { createRevocation } from '../../src/messages/revocation.ts'
import { memory } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { seed } from './sealed/session.ts'
import { NOW, ORIGIN, type Shop, shop } from './shop.ts'

/** What has come between m9a's checks and the commit of its grant: `seed` does the commit alone (ATH-6.2.1). */
test('the commit refuses a credential that has ended', async () => {
  const at = await shop()
  const grant = { credentialExpiresAt: NOW }
  await expect(seed(at, { grant })).rejects.toMatchObject({ error: 'credential_expired' })
  await expect(seed(at, { grant: { credentialExpiresAt: NOW + 1 } })).resolves.toBeDefined()
})

async function revoke(at: Shop, credentialId: string): Promise<void> {
  const revocation = await createRevocation({
    signer: at.user,
    target: { kind: 'credential', id: credentialId },
    audience: ORIGIN,
    reason: 'lost my phone',
    expiresAt: NOW + 60,
    now: NOW,
  })
  expect((await at.call('POST', '/ath/revocations', revocation)).status).toBe(200)
}

test('the commit refuses a credential that was revoked', async () => {
  const at = await shop()
  const credentialId = toBase64url(randomBytes(32))
  await revoke(at, credentialId)
  await expect(seed(at, { grant: { credentialId } })).rejects.toMatchObject({ error: 'credential_revoked' })
  await expect(seed(at)).resolves.toBeDefined()
})

test('the commit refuses a credential that is revoked between its two steps', async () => {
  const kept = memory()
  const credentialId = toBase64url(randomBytes(32))
  let meanwhile: (() => Promise<void>) | undefined
  const transact: Store['transact'] = async (partition, operations, now) => {
    if (operations.some(({ op, key }) => op === 'put' && key.startsWith('session:'))) {
      const revoking = meanwhile
      meanwhile = undefined
      await revoking?.()
    }
    return kept.transact(partition, operations, now)
  }
  const at = await shop({}, { store: { ...kept, transact } })
  meanwhile = () => revoke(at, credentialId)
  await expect(seed(at, { grant: { credentialId } })).rejects.toMatchObject({ error: 'credential_revoked' })
  expect(meanwhile).toBeUndefined()
})
