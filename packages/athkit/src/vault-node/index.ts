export { type FileVault, openFileVault } from './file-vault.ts'
export type { VaultSecret } from './format.ts'
export { type KeychainEntry, secretFromEnvironment, secretFromKeychain } from './secrets.ts'
