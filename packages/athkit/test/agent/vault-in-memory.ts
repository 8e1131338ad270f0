import type { Kept, Vault, VaultKind } from '../../src/agent/index.ts'
import type { Identity } from '../../src/handshake/index.ts'
import { party } from './world.ts'

/** A vault that is gone with the process, of this identity, or of one of its own. */
export async function vaultInMemory(given?: Identity): Promise<Vault> {
  const identity = given ?? (await party())
  const kinds = new Map<VaultKind, Map<string, Kept>>()
  const ofKind = (kind: VaultKind) => kinds.get(kind) ?? new Map<string, Kept>()
  return {
    identity: async () => identity,
    entries: async (kind) => ofKind(kind),
    async update(kind, name, change) {
      const entries = new Map(ofKind(kind))
      const value = change(entries.get(name))
      if (value === undefined) entries.delete(name)
      else entries.set(name, value)
      kinds.set(kind, entries)
    },
  }
}
