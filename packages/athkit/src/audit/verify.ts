import type { JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { BrokenChain, isSigned, verifyChain } from './chain.ts'

/** What is wrong with a chain, and where. */
export interface AuditFinding {
  readonly process: string
  /** The first place that is not as it was written. */
  readonly seq: number
  /**
   * `removed`: entries from there on are missing, others follow. `altered`: the entry there, or the one before it. `reordered`: it
   * stands elsewhere. `repeated`: one stands there that stood before. `cut`: the chain ends before a signed head. `rewritten`: the chain
   * holds in itself, and a signed head says otherwise. `head`: a head that is not signed by the key.
   */
  readonly kind: 'removed' | 'altered' | 'reordered' | 'repeated' | 'cut' | 'rewritten' | 'head'
  /** For people. */
  readonly message: string
}

export interface AuditVerdict {
  readonly chains: readonly { readonly process: string; readonly count: number; readonly head: string }[]
  readonly heads: number
  readonly findings: readonly AuditFinding[]
}

/**
 * Verifies an export (ATH-10): entries of any number of processes, those of one in their order, and signed heads, wherever these come
 * from. A chain of which a head was given and no entry is one that was cut.
 *
 * @param headKey of the service; without it, heads are not looked at
 */
export async function verifyAudit(
  lines: Iterable<JsonObject>,
  headKey: PublicKey | undefined,
): Promise<AuditVerdict> {
  const entries = new Map<string, JsonObject[]>()
  const heads = new Map<string, JsonObject[]>()
  for (const line of lines) {
    const { process } = line
    const of = line.type === 'audit_head' ? heads : entries
    const name = typeof process === 'string' ? process : ''
    const those = of.get(name)
    if (those === undefined) of.set(name, [line])
    else those.push(line)
  }
  const chains: { process: string; count: number; head: string }[] = []
  const findings: AuditFinding[] = []
  let looked = 0
  for (const process of new Set([...entries.keys(), ...heads.keys()])) {
    const own = entries.get(process) ?? []
    const signed = headKey === undefined ? [] : (heads.get(process) ?? [])
    looked += signed.length
    const found = await verifyOne(process, own, signed, headKey)
    if ('kind' in found) findings.push(found)
    else chains.push({ process, ...found })
  }
  return { chains, heads: looked, findings }
}

async function verifyOne(
  process: string,
  entries: readonly JsonObject[],
  heads: readonly JsonObject[],
  headKey: PublicKey | undefined,
) {
  const none = { heads: [], headKey: headKey as PublicKey }
  try {
    const chain = await verifyChain(entries, { process, ...none })
    return (await againstHeads(process, entries, heads, headKey)) ?? chain
  } catch (error) {
    if (!(error instanceof BrokenChain)) throw error
    return diagnosed(process, entries, error.seq)
  }
}

async function againstHeads(
  process: string,
  entries: readonly JsonObject[],
  heads: readonly JsonObject[],
  headKey: PublicKey | undefined,
): Promise<AuditFinding | undefined> {
  if (headKey === undefined) return undefined
  for (const head of heads) {
    const seq = Number(head.seq)
    if (!(await isSigned(head, headKey)))
      return finding(process, seq, 'head', 'a head that is not signed by this key')
    const entry = entries[seq]
    if (entry === undefined) {
      const message = `the chain ends at ${entries.length} entries, and a signed head names entry ${seq}`
      return finding(process, entries.length, 'cut', message)
    }
    if (entry.hash !== head.hash)
      return finding(process, seq, 'rewritten', 'a signed head names another entry in this place')
  }
  return undefined
}

function diagnosed(process: string, entries: readonly JsonObject[], at: number): AuditFinding {
  const seq = Number(entries[at]?.seq)
  if (seq === at || !Number.isSafeInteger(seq)) {
    const before = at === 0 ? '' : `, or the one before it`
    return finding(process, at, 'altered', `entry ${at} is not what was written${before}`)
  }
  if (seq < at) return finding(process, at, 'repeated', `entry ${seq} stands again in place ${at}`)
  if (entries.some((entry) => entry.seq === at)) {
    return finding(process, at, 'reordered', `entry ${at} stands elsewhere; entry ${seq} is in its place`)
  }
  const gone = seq - 1 === at ? `entry ${at} is` : `entries ${at} to ${seq - 1} are`
  return finding(process, at, 'removed', `${gone} missing`)
}

const finding = (
  process: string,
  seq: number,
  kind: AuditFinding['kind'],
  message: string,
): AuditFinding => ({ process, seq, kind, message })
