import { randomBytes } from 'node:crypto'
import { AthError } from '../errors.ts'
import type { VaultSecret } from './format.ts'

/**
 * For an agent that nobody sits beside: `ATH_VAULT_KEY`, 32 bytes in base64url, or `ATH_PASSPHRASE`. What is read is taken out of the
 * environment, so that no child process and no dump of it has it.
 *
 * @returns undefined where neither is set
 * @throws TypeError for a key that is not of 32 bytes
 */
export function secretFromEnvironment(
  environment: Record<string, string | undefined> = process.env,
): VaultSecret | undefined {
  const { ATH_VAULT_KEY: key, ATH_PASSPHRASE: passphrase } = environment
  delete environment.ATH_VAULT_KEY
  delete environment.ATH_PASSPHRASE
  if (key !== undefined) return { key: keyFrom(key) }
  return passphrase === undefined || passphrase === '' ? undefined : { passphrase }
}

/** One entry of the OS keychain, as `Entry` of `@napi-rs/keyring` has it. */
export interface KeychainEntry {
  getPassword(): string | null | undefined
  setPassword(password: string): void
}

/**
 * The vault's key out of the OS keychain, made there the first time.
 *
 * @param entry such as `new Entry('athkit', 'agent')` of the optional peer `@napi-rs/keyring`
 * @throws TypeError when something else stands in the entry
 */
export function secretFromKeychain(entry: KeychainEntry): VaultSecret {
  const known = entry.getPassword() ?? undefined
  if (known !== undefined) return { key: keyFrom(known) }
  const made = randomBytes(32)
  entry.setPassword(made.toString('base64url'))
  const kept = entry.getPassword()
  if (kept !== made.toString('base64url'))
    throw new AthError('vault_locked', 'the keychain does not keep the key')
  return { key: made }
}

function keyFrom(text: string): Uint8Array {
  const key = Buffer.from(text, 'base64url')
  if (key.length !== 32 || key.toString('base64url') !== text)
    throw new TypeError('key: 32 bytes in base64url')
  return key
}
