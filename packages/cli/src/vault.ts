import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { isCancel, password } from '@clack/prompts'
import type { Vault } from 'athkit/agent'
import { openFileVault, secretFromEnvironment, type VaultSecret } from 'athkit/vault-node'
import { Usage } from './outcome.ts'

/** The vault of whoever runs this: `ATH_VAULT`, opened by what the environment says, or by a person at a terminal. */
export async function openVault(): Promise<Vault> {
  const file = process.env.ATH_VAULT ?? join(homedir(), '.athkit', 'vault')
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  return openFileVault(file, secretFromEnvironment() ?? (await asked()))
}

async function asked(): Promise<VaultSecret> {
  if (!process.stdin.isTTY) throw new Usage('set ATH_PASSPHRASE, or ATH_VAULT_KEY: 32 bytes in base64url')
  const passphrase = await password({ message: 'Passphrase of the vault', output: process.stderr })
  if (isCancel(passphrase)) throw new Usage('no passphrase')
  return { passphrase }
}
