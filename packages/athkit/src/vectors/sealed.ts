import type { CipherSuite } from '../crypto/algorithms.ts'
import { type Awaitable, concat, fromBase64url, toBase64url, uint32, utf8 } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { openExchange, splitHead } from '../session/exchange.ts'
import { checkHeadTimestamp, readRequestHead, readResponseHead } from '../session/head.ts'
import {
  checkResponseHeader,
  decodeRequestHeader,
  encodeRequestHeader,
  encodeResponseHeader,
  REQUEST_HEADER_BYTES,
  RESPONSE_HEADER_BYTES,
} from '../session/header.ts'
import { createReader, createSealer, exchangeKey } from '../session/records.ts'

/** sealed.json: a request or a response to bytes, or back (ATH-7.2 to ATH-7.4). */
export const check = (input: JsonObject): Promise<JsonObject> =>
  input.do === 'seal' ? seal(input) : open(input)

async function seal(input: JsonObject): Promise<JsonObject> {
  const header = headerOf(input)
  const key = await keyOf(input, header)
  const sealRecord = createSealer(input.cipher as CipherSuite, key)
  const head = utf8(input.head_text as string)
  const pieces = (input.pieces as readonly Json[]).map(pieceOf)
  const records: Uint8Array[] = []
  for (const [index, piece] of pieces.entries()) {
    const plaintext = index === 0 ? concat(uint32(head.length), head, piece) : piece
    records.push(await sealRecord(plaintext, index === pieces.length - 1))
  }
  const bytes = concat(header, ...records)
  return {
    header: toBase64url(header),
    key: toBase64url(key),
    bytes: toBase64url(bytes),
    sha256: toBase64url(await sha256(bytes)),
  }
}

async function open(input: JsonObject): Promise<JsonObject> {
  const reader = createReader(fromBase64url(input.bytes))
  const isRequest = input.kind === 'request'
  const header = await reader.read(isRequest ? REQUEST_HEADER_BYTES : RESPONSE_HEADER_BYTES)
  if (isRequest) decodeRequestHeader(header)
  else checkResponseHeader(header)
  const opened = await openExchange(input.cipher as CipherSuite, await keyOf(input, header), reader)
  const { head } = splitHead(opened.record0)
  const read = isRequest ? requestHead(head, input) : readResponseHead(head)
  const pieces: string[] = []
  for await (const piece of opened.body()) pieces.push(toBase64url(piece))
  return { head: { ...read }, pieces }
}

function requestHead(bytes: Uint8Array, input: JsonObject) {
  const head = readRequestHead(bytes, input.endpoints as readonly string[])
  checkHeadTimestamp(head, input.now as number)
  return head
}

function headerOf(input: JsonObject): Uint8Array {
  const salt = fromBase64url(input.salt, 16)
  if (input.kind === 'response') return encodeResponseHeader(salt)
  return encodeRequestHeader({
    sid: fromBase64url(input.sid, 16),
    epoch: input.epoch as number,
    seq: Number(input.seq),
    salt,
  })
}

function keyOf(input: JsonObject, header: Uint8Array): Awaitable<Uint8Array> {
  if (input.kind === 'request') return exchangeKey(fromBase64url(input.c2s, 32), 'request', header)
  return exchangeKey(fromBase64url(input.s2c, 32), 'response', fromBase64url(input.request_header), header)
}

function pieceOf(piece: Json): Uint8Array {
  if (typeof piece === 'string') return fromBase64url(piece)
  const { fill, length } = piece as { fill: string; length: number }
  return new Uint8Array(length).fill(fill.charCodeAt(0))
}
