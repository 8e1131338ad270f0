import type { VaultKind } from '../agent/vault.ts'
import type { Json } from '../crypto/json.ts'

/** What a vault holds: the private key as bytes, which are never a string in this process, and the entries. */
export interface Contents {
  /** PKCS#8 DER; absent until an identity is made. */
  readonly key: Buffer | undefined
  readonly entries: ReadonlyMap<VaultKind, ReadonlyMap<string, Json>>
}

export const EMPTY: Contents = { key: undefined, entries: new Map() }

/** Four bytes, the length of the key; the key; the entries in JSON. */
export function encodeContents({ key, entries }: Contents): Buffer {
  const json = [...entries].map(([kind, ofKind]) => [kind, [...ofKind]])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(key?.length ?? 0)
  return Buffer.concat([length, key ?? Buffer.alloc(0), Buffer.from(JSON.stringify(json))])
}

/** The bytes have been authenticated: what is in them was written by {@link encodeContents}. */
export function decodeContents(bytes: Buffer): Contents {
  const end = 4 + bytes.readUInt32BE()
  const key = end === 4 ? undefined : Buffer.from(bytes.subarray(4, end))
  const json = JSON.parse(bytes.subarray(end).toString()) as [VaultKind, [string, Json][]][]
  return { key, entries: new Map(json.map(([kind, ofKind]) => [kind, new Map(ofKind)])) }
}
