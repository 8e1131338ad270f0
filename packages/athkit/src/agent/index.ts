export { type Agent, createAgent } from './agent.ts'
export { type DeniedScope, ScopesDenied } from './denied.ts'
export type { AgentEvent, Check, SentMessage, VerifiedMessage } from './events.ts'
export { forgetServer, pinServer } from './from-vault.ts'
export type {
  AgentOptions,
  ConnectOptions,
  Pending,
  Reauthorization,
  ResumeOptions,
  StepUpOptions,
} from './options.ts'
export type { SealedInit } from './outgoing.ts'
export type { SealedFetch } from './sealed-fetch.ts'
export type { AgentGrant, AgentSession, RequestOptions } from './session.ts'
export { addCredential } from './stored-credentials.ts'
export type { Kept, Vault, VaultKind } from './vault.ts'
export { vaultPins } from './vault-pins.ts'
