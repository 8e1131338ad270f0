import {
  type AuditEntry,
  type AuditFact,
  type AuditRecord,
  entryId,
  exportAudit,
  verifyAudit,
} from 'athkit/audit'
import type { JsonObject } from 'athkit/crypto'
import type { Store } from 'athkit/store'

/** What an agent was told of, and must therefore be written down: how often, by event and by whose it is. */
export type Told = Map<string, number>

export function tell(told: Told, event: AuditFact['event'], whose: string): void {
  const key = keyOf(event, whose)
  told.set(key, (told.get(key) ?? 0) + 1)
}

const keyOf = (event: string, whose: string) => `${event} of ${whose}`

/** Entries that are in no chain and no outbox though an agent was told of what they describe; and what is wrong with the chains. */
export async function countAudit(store: Store, told: Told) {
  const lines = []
  for await (const line of exportAudit(store, Math.floor(Date.now() / 1000))) lines.push(line)
  const facts = new Map<string, AuditFact>()
  for (const line of lines) if ('event' in line) facts.set((line as AuditEntry).id, line as AuditEntry)
  for await (const { id, value } of store.outbox()) {
    const { facts: waiting } = JSON.parse(value) as AuditRecord
    for (const [at, fact] of waiting.entries()) facts.set(entryId(id, at), fact)
  }
  const written: Told = new Map()
  for (const { event, grant_id, client_did } of facts.values()) {
    for (const whose of [grant_id, client_did]) if (whose !== undefined) tell(written, event, whose)
  }
  const lost = [...told].filter(([key, times]) => (written.get(key) ?? 0) < times)
  const { findings } = await verifyAudit(lines as unknown as Iterable<JsonObject>, undefined)
  return {
    entries: facts.size,
    lost: lost.reduce((sum, [key, times]) => sum + times - (written.get(key) ?? 0), 0),
    findings: findings.map(({ message }) => message),
  }
}
