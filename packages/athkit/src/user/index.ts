export { bindingChoices } from './binding.ts'
export {
  type CredentialBook,
  createCredentialBook,
  rememberedOf,
  type SignedCredential,
} from './credentials.ts'
export { type EnrolAtOptions, enrolAt } from './enrol.ts'
export {
  type Authorization,
  type AuthorizeOptions,
  type ConfirmOptions,
  createUser,
  type User,
  type UserOptions,
} from './user.ts'
export { visible } from './visible.ts'
export type { Taken, WalletLink, WalletLinkOptions } from './wallet-link.ts'
