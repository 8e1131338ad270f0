import { expect, test } from 'vitest'
import { createRevocation } from '../../src/messages/revocation.ts'
import { seed } from './sealed/session.ts'
import { NOW, ORIGIN, shop } from './shop.ts'

/** What has come between m9a's checks and the commit of its grant: `seed` does the commit alone (ATH-6.2.1). */
test('the commit refuses a credential that has ended', async () => {
  const at = await shop()
  const grant = { credentialExpiresAt: NOW }
  await expect(seed(at, { grant })).rejects.toMatchObject({ error: 'credential_expired' })
  await expect(seed(at, { grant: { credentialExpiresAt: NOW + 1 } })).resolves.toBeDefined()
})

test('the commit refuses a credential that was revoked', async () => {
  const at = await shop()
  const credentialId = 'C'.repeat(43)
  const revocation = await createRevocation({
    signer: at.user,
    target: { kind: 'credential', id: credentialId },
    audience: ORIGIN,
    reason: 'lost my phone',
    expiresAt: NOW + 60,
    now: NOW,
  })
  expect((await at.call('POST', '/ath/revocations', revocation)).status).toBe(200)
  await expect(seed(at, { grant: { credentialId } })).rejects.toMatchObject({ error: 'credential_revoked' })
  await expect(seed(at)).resolves.toBeDefined()
})
