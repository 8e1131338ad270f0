import { describe, expect, test } from 'vitest'
import { AthError } from '../../src/errors.ts'
import { keychainEntry, secretFromKeychain } from '../../src/vault-node/index.ts'

describe('the OS keychain, through @napi-rs/keyring itself', () => {
  test('keeps the key, or says that it is out of reach', async () => {
    const account = `test-${process.pid}-${Date.now()}`
    const entry = (await keychainEntry(account, 'athkit-test')) as Awaited<
      ReturnType<typeof keychainEntry>
    > & {
      deletePassword(): boolean
    }
    let kept: ReturnType<typeof secretFromKeychain>
    try {
      kept = secretFromKeychain(entry)
    } catch (error) {
      // A machine without a keychain, or one that nobody has unlocked.
      expect(error).toBeInstanceOf(AthError)
      expect(error).toMatchObject({ trouble: 'vault_locked' })
      expect(String(error)).toContain('ATH_VAULT_KEY')
      return
    }
    try {
      expect(kept).toMatchObject({ key: expect.objectContaining({ length: 32 }) })
      expect(secretFromKeychain(await keychainEntry(account, 'athkit-test'))).toEqual(kept)
    } finally {
      entry.deletePassword()
    }
  })

  test('what the keychain throws is said in our words, and holds nothing of it', () => {
    const entry = {
      getPassword: () => null,
      setPassword: () => {
        throw new Error('access denied')
      },
    }
    expect(() => secretFromKeychain(entry)).toThrow(AthError)
    expect(() => secretFromKeychain(entry)).toThrow(/out of reach/)
  })
})
