export * from './did.ts'
export {
  type DidDocument,
  documentOfKey,
  keysOf,
  RELATIONSHIPS,
  type Relationship,
} from './document.ts'
export { type DocumentKeys, namedDocument } from './edit.ts'
export {
  applyOperation,
  type DidOperation,
  type DidState,
  type HistoryContext,
  RefusedHistory,
  verifyHistory,
} from './history.ts'
export * from './operations.ts'
export { memoryPins, type Pin, type Pins } from './pins.ts'
export { createMemoryRegistry, type Registry } from './registry.ts'
export {
  type RegistryResolver,
  type RegistryResolverOptions,
  registryResolver,
} from './registry-resolver.ts'
export * from './resolver.ts'
export { createStatusLists, type StatusLists, type StatusListsOptions } from './status-lists.ts'
export { type CredentialExpectation, verifyClientCredential } from './vc.ts'
export { didWebUrl, type WebMethodOptions, webMethod } from './web.ts'
