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
 * An entry of the OS keychain, through the optional peer `@napi-rs/keyring`.
 *
 * @throws AthError `vault_locked` where the peer is not installed, or this machine has no keychain
 */
export async function keychainEntry(account: string, service = 'athkit'): Promise<KeychainEntry> {
  try {
    const { Entry } = await import('@napi-rs/keyring')
    return new Entry(service, account)
  } catch (cause) {
    throw outOfReach(cause, 'install `@napi-rs/keyring`, on a machine that has a keychain')
  }
}

/**
 * The vault's key out of the OS keychain, made there the first time.
 *
 * @param entry of {@link keychainEntry}, or anything like it
 * @throws AthError `vault_locked` when the keychain cannot be read, or does not keep the key
 * @throws TypeError when something else stands in the entry
 */
export function secretFromKeychain(entry: KeychainEntry): VaultSecret {
  const known = reached(() => entry.getPassword()) ?? undefined
  if (known !== undefined) return { key: keyFrom(known) }
  const made = randomBytes(32)
  reached(() => entry.setPassword(made.toString('base64url')))
  const kept = reached(() => entry.getPassword())
  if (kept !== made.toString('base64url'))
    throw new AthError('vault_locked', 'the keychain does not keep the key')
  return { key: made }
}

function reached<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw outOfReach(cause, 'unlock it, or open the vault by ATH_VAULT_KEY')
  }
}

const outOfReach = (cause: unknown, advice: string) =>
  new AthError('vault_locked', `the OS keychain is out of reach: ${advice}`, { cause })

function keyFrom(text: string): Uint8Array {
  const key = Buffer.from(text, 'base64url')
  if (key.length !== 32 || key.toString('base64url') !== text)
    throw new TypeError('key: 32 bytes in base64url')
  return key
}
