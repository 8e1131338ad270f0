import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { isCancel, password } from '@clack/prompts'
import { type FileVault, openFileVault, secretFromEnvironment, type VaultSecret } from 'athkit/vault-node'
import { inWords } from './files.ts'
import { Interrupted, NoVault, Usage } from './trouble.ts'

/**
 * The vault of whoever runs this: `ATH_VAULT`, opened by what the environment says, or by a person at a terminal.
 *
 * @throws NoVault where there is none, so that a name that was mistyped makes no new identity
 */
export async function openVault(): Promise<FileVault> {
  const file = vaultFile()
  if (!existsSync(file)) throw new NoVault(`there is no vault at ${file}`)
  return open(file, secretFromEnvironment() ?? (await askedOnce('Passphrase of the vault')))
}

/** The same, made where there is none. */
export async function openOrMakeVault(): Promise<FileVault> {
  const file = vaultFile()
  const isNew = !existsSync(file)
  const secret =
    secretFromEnvironment() ?? (await (isNew ? askedTwice() : askedOnce('Passphrase of the vault')))
  return open(file, secret)
}

/** Where a vault is of use and not needed: undefined where none could be opened without asking anybody. */
export async function vaultAtHand(): Promise<FileVault | undefined> {
  const secret = secretFromEnvironment()
  return secret === undefined ? undefined : open(vaultFile(), secret)
}

const vaultFile = (): string => process.env.ATH_VAULT || join(homedir(), '.athkit', 'vault')

async function open(file: string, secret: VaultSecret): Promise<FileVault> {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Usage(`no vault can be made at ${file}: ${inWords(error)}`)
  }
  try {
    return await openFileVault(file, secret)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new Usage(`the vault ${file} cannot be read: ${inWords(error)}`)
  }
}

/** What is mistyped in a new vault locks it for ever. */
async function askedTwice(): Promise<VaultSecret> {
  const first = await askedOnce('A passphrase for the new vault')
  const second = await askedOnce('Once more')
  if (first.passphrase !== second.passphrase)
    throw new Usage('these were two different passphrases: nothing was made')
  return first
}

async function askedOnce(message: string): Promise<{ readonly passphrase: string }> {
  if (!process.stdin.isTTY) {
    throw new Usage(
      'nobody is at the terminal to be asked: set ATH_PASSPHRASE, or ATH_VAULT_KEY to 32 bytes in base64url',
    )
  }
  const passphrase = await password({ message, output: process.stderr })
  if (isCancel(passphrase)) throw new Interrupted('SIGINT')
  if (passphrase === '') throw new Usage('a passphrase has at least one character')
  return { passphrase }
}
