import { concat } from '../../crypto/bytes.ts'
import { sha256 } from '../../crypto/jcs.ts'
import { refuse } from '../../errors.ts'

/**
 * The whole body, once its last record has opened: a handler never sees the beginning of one that is cut short (ATH-7.4).
 *
 * @throws HandshakeError `message_too_large`, `malformed_message`
 */
export async function readWhole(body: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body) {
    length += part.length
    if (length > most) throw tooLarge()
    if (part.length > 0) parts.push(part)
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : concat(...parts)
}

/** The body itself. @throws HandshakeError `message_too_large` */
export function noLonger(body: Uint8Array, most: number): Uint8Array {
  if (body.length > most) throw tooLarge()
  return body
}

const tooLarge = () => refuse('message_too_large', 'the sealed body', { rule: 'ATH-7.4' })

const BLOCK_BYTES = 65_536

/**
 * What an `Idempotency-Key` is bound to of a body (ATH-7.7): SHA-256 over the SHA-256 of each block of 64 KiB, so that a body need
 * not be whole in memory.
 */
export interface BodyHasher {
  update(part: Uint8Array): Promise<void>
  digest(): Promise<Uint8Array>
}

export function createBodyHasher(): BodyHasher {
  const hashes: Uint8Array[] = []
  let block: Uint8Array = new Uint8Array()
  return {
    async update(part) {
      let rest = block.length === 0 ? part : concat(block, part)
      for (; rest.length >= BLOCK_BYTES; rest = rest.subarray(BLOCK_BYTES)) {
        hashes.push(await sha256(rest.subarray(0, BLOCK_BYTES)))
      }
      block = new Uint8Array(rest)
    },
    async digest() {
      return sha256(concat(...hashes, await sha256(block)))
    },
  }
}

export async function hashOfBody(body: Uint8Array): Promise<Uint8Array> {
  const hasher = createBodyHasher()
  await hasher.update(body)
  return hasher.digest()
}
