import { concat, toBase64url, utf8 } from '../crypto/bytes.ts'
import { canonicalize, sha256 } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { without } from '../crypto/shape.ts'
import { verifyLabelled } from '../crypto/signature.ts'
import { HandshakeError } from '../errors.ts'

/** A process's chain of audit entries (ATH-10): each entry's hash covers the one before it. */
export class BrokenChain extends Error {
  override readonly name = 'BrokenChain'
  /** The first place where what stands there is not what was written; the number of entries where the tail is cut. */
  readonly seq: number

  constructor(seq: number) {
    super(`the chain is broken at entry ${seq}`)
    this.seq = seq
  }
}

export interface ChainExpectation {
  readonly process: string
  /** Signed heads that were exported (label `audit_head`). */
  readonly heads: readonly JsonObject[]
  readonly headKey: PublicKey
}

/** Before the first entry (ATH-10). */
export const START = new Uint8Array(32)

/** `hash` of an entry that comes after one with the hash `previous`. */
export async function hashOfEntry(previous: Uint8Array, entry: JsonObject): Promise<Uint8Array> {
  return sha256(concat(previous, utf8(canonicalize(without(entry, 'hash')))))
}

/** @throws BrokenChain */
export async function verifyChain(
  entries: readonly JsonObject[],
  { process, heads, headKey }: ChainExpectation,
): Promise<{ readonly count: number; readonly head: string }> {
  let previous: Uint8Array = START
  for (const [seq, entry] of entries.entries()) {
    const hash = await hashOfEntry(previous, entry)
    if (entry.process !== process || entry.seq !== seq || entry.hash !== toBase64url(hash))
      throw new BrokenChain(seq)
    previous = hash
  }
  const wrong: number[] = []
  for (const head of heads) {
    const seq = typeof head.seq === 'number' ? head.seq : 0
    const entry = entries[seq]
    if (entry === undefined) wrong.push(entries.length)
    else if (head.process !== process || entry.hash !== head.hash || !(await isSigned(head, headKey)))
      wrong.push(seq)
  }
  if (wrong.length > 0) throw new BrokenChain(Math.min(...wrong))
  return { count: entries.length, head: toBase64url(previous) }
}

export async function isSigned(head: JsonObject, key: PublicKey): Promise<boolean> {
  try {
    await verifyLabelled(key, 'audit_head', without(head, 'signature'), head.signature)
    return true
  } catch (error) {
    if (error instanceof HandshakeError) return false
    throw error
  }
}
