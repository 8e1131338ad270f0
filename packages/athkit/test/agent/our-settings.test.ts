import { describe, expect, test } from 'vitest'
import { ERRORS, IdentityError, refuse } from '../../src/errors.ts'
import { refused } from './fake-server.ts'
import { NOW, party, world } from './world.ts'

/** What the agent says when the service refuses its flight. */
async function refusedWith(error: Parameters<typeof refuse>[0]) {
  const made = await world({
    intercept: ({ method, path }) =>
      method === 'POST' && path.startsWith('/ath/handshake/') ? refused(refuse(error, 'x'), NOW) : undefined,
  })
  const failed = await made.connect().catch((cause: unknown) => cause)
  return { failed, ...made }
}

describe('a 401 says which of our settings to check (ATH-9)', () => {
  test.each([
    ['identity_unknown', 'identity'],
    ['identity_revoked', 'identity'],
    ['key_mismatch', 'identity'],
    ['signature_invalid', 'identity'],
    ['nonce_mismatch', 'url'],
    ['handshake_replayed', 'fetch'],
    ['timestamp_skew', 'now'],
    ['credential_invalid', 'authorization'],
    ['credential_expired', 'authorization'],
    ['credential_revoked', 'authorization'],
  ] as const)('%s: %s', async (error, setting) => {
    const { failed, fake, authorization } = await refusedWith(error)
    expect(failed).toBeInstanceOf(IdentityError)
    expect(failed).toMatchObject({ error, setting, rule: undefined })
    expect(String(failed)).toContain(`check \`${setting}\``)
    expect(String(failed)).not.toContain(authorization)
    expect(fake.seen.filter(({ path }) => path === '/ath/handshake').length).toBe(1)
  })

  test('there is a word for every 401', async () => {
    for (const { code, error } of ERRORS.values()) {
      if (code !== 401) continue
      const { failed } = await refusedWith(error)
      expect((failed as IdentityError).setting, error).toMatch(/^[a-z]+$/)
    }
  })

  test('what the service adds for a person is kept', async () => {
    const { connect } = await world({
      intercept: ({ method, path }) =>
        method === 'POST' && path.startsWith('/ath/handshake/')
          ? refused(refuse('credential_revoked', 'x', { hint: 'Ask again tomorrow.' }), NOW)
          : undefined,
    })
    const failed = connect()
    await expect(failed).rejects.toMatchObject({ setting: 'authorization' })
    await expect(failed).rejects.toMatchObject({ hint: expect.stringContaining('Ask again tomorrow.') })
  })

  test('in a session too', async () => {
    const { connect } = await world({
      app: () => {
        throw refuse('grant_revoked', 'x')
      },
    })
    const session = await connect()
    await expect(session.fetch('/')).rejects.toMatchObject({
      error: 'grant_revoked',
      setting: 'authorization',
    })
  })

  test('what we refuse ourselves is the server’s fault, and has a rule', async () => {
    const other = await party()
    const { connect } = await world({ m2Options: (given) => ({ ...given, server: other }) })
    await expect(connect()).rejects.toMatchObject({ rule: 'ATH-6.1.5', setting: undefined })
  })
})
