import { concat } from '../crypto/bytes.ts'
import { refuse } from '../errors.ts'

/** The header of a sealed request (ATH-7.2). */
export interface RequestHeader {
  /** 16 bytes. */
  readonly sid: Uint8Array
  readonly epoch: number
  /** 0 to 2^53 − 1. */
  readonly seq: number
  /** 16 random bytes. */
  readonly salt: Uint8Array
}

export const REQUEST_HEADER_BYTES = 45
export const RESPONSE_HEADER_BYTES = 17
const VERSION = 1

export function encodeRequestHeader({ sid, epoch, seq, salt }: RequestHeader): Uint8Array {
  const bytes = new Uint8Array(REQUEST_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  bytes[0] = VERSION
  bytes.set(sid, 1)
  view.setUint32(17, epoch)
  view.setBigUint64(21, BigInt(seq))
  bytes.set(salt, 29)
  return bytes
}

/** @throws HandshakeError `malformed_message` */
export function decodeRequestHeader(bytes: Uint8Array): RequestHeader {
  if (bytes.length !== REQUEST_HEADER_BYTES || bytes[0] !== VERSION) throw malformed('header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const seq = view.getBigUint64(21)
  if (seq > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed('seq beyond 2^53-1')
  return { sid: bytes.slice(1, 17), epoch: view.getUint32(17), seq: Number(seq), salt: bytes.slice(29) }
}

export const encodeResponseHeader = (salt: Uint8Array): Uint8Array => concat(Uint8Array.of(VERSION), salt)

/** @throws HandshakeError `malformed_message` */
export function checkResponseHeader(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== RESPONSE_HEADER_BYTES || bytes[0] !== VERSION) throw malformed('response header')
  return bytes
}

const malformed = (reason: string) => refuse('malformed_message', reason, { rule: 'ATH-7.2' })
