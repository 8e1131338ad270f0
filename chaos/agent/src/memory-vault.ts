import type { Kept, Vault, VaultKind } from 'athkit/agent'
import type { Party } from './party.ts'

/** What outlives an agent in these runs, and not this process. */
export function memoryVault(identity: Party): Vault {
  const kinds = new Map<VaultKind, Map<string, Kept>>()
  const ofKind = (kind: VaultKind) => kinds.get(kind) ?? new Map<string, Kept>()
  return {
    identity: async () => identity,
    entries: async (kind) => new Map(ofKind(kind)),
    async update(kind, name, change) {
      const entries = new Map(ofKind(kind))
      const value = change(entries.get(name))
      if (value === undefined) entries.delete(name)
      else entries.set(name, value)
      kinds.set(kind, entries)
    },
  }
}
