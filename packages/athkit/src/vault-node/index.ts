export { type FileVault, openFileVault } from './file-vault.ts'
export type { VaultSecret } from './format.ts'
export { type KeychainEntry, keychainEntry, secretFromEnvironment, secretFromKeychain } from './secrets.ts'
