import type { Kept, VaultKind } from '../agent/vault.ts'

/** What a vault holds: the private key as bytes, which are never a string in this process, and the entries. */
export interface Contents {
  /** PKCS#8 DER; absent until an identity is made. */
  readonly key: Buffer | undefined
  readonly entries: ReadonlyMap<VaultKind, ReadonlyMap<string, Kept>>
}

export const EMPTY: Contents = { key: undefined, entries: new Map() }

/** The key, then the bytes in the entries one behind the other, each part with its length before it; then the entries in JSON. */
export function encodeContents({ key, entries }: Contents): Buffer {
  const bytes: Uint8Array[] = []
  let at = 0
  const json = JSON.stringify(
    [...entries].map(([kind, ofKind]) => [kind, [...ofKind]]),
    // `Buffer` has a toJSON of its own: what it is made of is looked up where it stands.
    function (this: Record<string, unknown>, name, value: unknown) {
      const original = this[name]
      if (original instanceof Uint8Array) {
        bytes.push(original)
        at += original.length
        return `${MARK}${at - original.length}:${original.length}`
      }
      return typeof value === 'string' && value.startsWith('\u0000') ? `${ESCAPE}${value}` : value
    },
  )
  return Buffer.concat([lengthOf(key), key ?? NOTHING, u32(at), ...bytes, Buffer.from(json)])
}

/** The bytes have been authenticated: what is in them was written by {@link encodeContents}. */
export function decodeContents(plaintext: Buffer): Contents {
  const keyEnd = 4 + plaintext.readUInt32BE()
  const bytesFrom = keyEnd + 4
  const jsonFrom = bytesFrom + plaintext.readUInt32BE(keyEnd)
  const json = JSON.parse(plaintext.subarray(jsonFrom).toString(), (_, value: unknown) => {
    if (typeof value !== 'string') return value
    if (value.startsWith(ESCAPE)) return value.slice(ESCAPE.length)
    if (!value.startsWith(MARK)) return value
    const [at = 0, length = 0] = value.slice(MARK.length).split(':').map(Number)
    return new Uint8Array(plaintext.subarray(bytesFrom + at, bytesFrom + at + length))
  }) as [VaultKind, [string, Kept][]][]
  return {
    key: keyEnd === 4 ? undefined : Buffer.from(plaintext.subarray(4, keyEnd)),
    entries: new Map(json.map(([kind, ofKind]) => [kind, new Map(ofKind)])),
  }
}

/** Stands in the JSON for bytes; a string that begins like it has an escape before it. */
const MARK = '\u0000bytes:'
const ESCAPE = '\u0000text:'

const NOTHING = Buffer.alloc(0)
const lengthOf = (key: Buffer | undefined): Buffer => u32(key?.length ?? 0)

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
