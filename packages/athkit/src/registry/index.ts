export { createRegistryClient, type RegistryClient } from './client.ts'
export { createRegistry, type RegistryService } from './create-registry.ts'
export type { RegistryEvent, RegistryLimits, RegistryOptions } from './options.ts'
export { storePins } from './pins.ts'
