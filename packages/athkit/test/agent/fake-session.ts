import type { CipherSuite } from '../../src/crypto/algorithms.ts'
import { concat, toBase64url, utf8 } from '../../src/crypto/bytes.ts'
import { generateShare } from '../../src/crypto/ecdh.ts'
import { parseJson } from '../../src/crypto/json.ts'
import { randomBytes, randomId } from '../../src/crypto/random.ts'
import { HandshakeError, refuse } from '../../src/errors.ts'
import type { Identity } from '../../src/handshake/index.ts'
import { openExchange, sealWhole, splitHead } from '../../src/session/exchange.ts'
import { type RequestHead, readRequestHead } from '../../src/session/head.ts'
import { decodeRequestHeader, encodeResponseHeader } from '../../src/session/header.ts'
import type { EpochKeys, SessionSecrets } from '../../src/session/keys.ts'
import { createReader, createSealer, exchangeKey } from '../../src/session/records.ts'
import { answerRotation, receiveRotationRequest } from '../../src/session/rotation.ts'
import { type AccessTokenClaims, issueAccessToken } from '../../src/token/access-token.ts'

export interface Inner extends RequestHead {
  readonly body: Uint8Array
  readonly epoch: number
  readonly seq: number
}

export interface InnerAnswer {
  readonly status: number
  readonly headers?: [string, string][]
  readonly body?: Uint8Array | string
  readonly ath?: true
  /** In records of their own. */
  readonly pieces?: readonly string[]
  /** Without a last record. */
  readonly cutShort?: boolean
}

export interface SessionHooks {
  readonly app?: (request: Inner) => InnerAnswer | Promise<InnerAnswer>
  /** The sealed answer as it is sent. */
  readonly sealed?: (bytes: Uint8Array, request: Inner) => Uint8Array
  readonly renewed?: (claims: AccessTokenClaims) => AccessTokenClaims
}

export interface FakeSession {
  readonly sid: string
  readonly inner: Inner[]
  readonly epochs: Map<number, EpochKeys>
  readonly rotations: () => number
  ended: boolean
  handle(bytes: Uint8Array): Promise<Response>
}

export function createFakeSession(options: {
  readonly server: Identity
  readonly clock: { now: number }
  readonly hooks: SessionHooks
  readonly complete: { readonly secrets: SessionSecrets; readonly claims: AccessTokenClaims }
  readonly cipher: CipherSuite
  readonly capabilities: readonly string[]
  readonly tokenTtl: number
  readonly grantEnd: number
}): FakeSession {
  const { server, clock, hooks, complete, cipher } = options
  const { c2s, s2c, rekey, sid } = complete.secrets
  const epochs = new Map<number, EpochKeys>([
    [0, { c2s, s2c, rekey, cipher, epoch: 0, createdAt: clock.now }],
  ])
  const used = new Set<string>()
  const inner: Inner[] = []
  const receipts = new Map<string, string>()
  let claims = complete.claims
  let rotations = 0

  async function own(request: Inner): Promise<InnerAnswer | undefined> {
    const { method, path, body } = request
    if (method === 'DELETE' && path === '/ath/session') {
      session.ended = true
      return { status: 204, ath: true }
    }
    if (method !== 'POST' || !path.startsWith('/ath/session/')) return undefined
    const text = new TextDecoder().decode(body)
    const known = receipts.get(text)
    if (known !== undefined) return { status: 200, ath: true, body: known }
    const made = path === '/ath/session/keys' ? await rotate(request) : await renew()
    if (path === '/ath/session/keys') receipts.set(text, made)
    return { status: 200, ath: true, body: made }
  }

  async function rotate(request: Inner): Promise<string> {
    const message = receiveRotationRequest(parseJson(request.body), options.capabilities, clock.now)
    const current = epochs.get(request.epoch) as EpochKeys
    const rotated = await answerRotation(message, {
      share: await generateShare(message.key_exchange_alg),
      rekey: current.rekey,
      cipher,
      epoch: Math.max(...epochs.keys()) + 1,
      now: clock.now,
    })
    rotations++
    epochs.set(rotated.keys.epoch, rotated.keys)
    return JSON.stringify(rotated.response)
  }

  async function renew(): Promise<string> {
    const exp = Math.min(clock.now + options.tokenTtl, options.grantEnd)
    claims = { ...claims, iat: clock.now, exp, jti: randomId() }
    const access_token = await issueAccessToken(server.signer, hooks.renewed?.(claims) ?? claims)
    return JSON.stringify({ type: 'token_renewal', access_token, timestamp: clock.now })
  }

  async function answer(request: Inner): Promise<InnerAnswer> {
    const place = `${request.epoch}:${request.seq}`
    try {
      if (used.has(place)) throw refuse('replayed', 'seq', { nextSeq: request.seq + 1 })
      used.add(place)
      const found = await own(request)
      if (found !== undefined) return found
      if (claims.exp <= clock.now) throw refuse('token_invalid', 'expired')
      return (await hooks.app?.(request)) ?? { status: 200, body: 'hello' }
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
      const more: [string, string][] =
        error.retryAfter === undefined ? [] : [['retry-after', String(error.retryAfter)]]
      return { status: error.code, ath: true, headers: more, body: JSON.stringify(error.toWire(clock.now)) }
    }
  }

  async function handle(bytes: Uint8Array): Promise<Response> {
    if (session.ended) throw refuse('session_unknown', 'ended')
    const headerBytes = bytes.slice(0, 45)
    const header = decodeRequestHeader(headerBytes)
    const keys = epochs.get(header.epoch)
    if (keys === undefined) throw refuse('session_expired', 'epoch')
    const key = await exchangeKey(keys.c2s, 'request', headerBytes)
    const opened = await openExchange(cipher, key, createReader(bytes.slice(45)))
    const head = readRequestHead(splitHead(opened.record0).head, ['/ath/handshake', '/ath/sealed'])
    const parts: Uint8Array[] = []
    for await (const part of opened.body()) parts.push(part)
    const request = { ...head, body: concat(...parts), epoch: header.epoch, seq: header.seq }
    inner.push(request)
    const sealed = await seal(keys, headerBytes, await answer(request))
    const body = hooks.sealed?.(sealed, request) ?? sealed
    return new Response(body as Uint8Array<ArrayBuffer>, {
      headers: { 'content-type': 'application/ath-sealed' },
    })
  }

  async function seal(keys: EpochKeys, requestHeader: Uint8Array, given: InnerAnswer): Promise<Uint8Array> {
    const header = encodeResponseHeader(randomBytes(16))
    const key = await exchangeKey(keys.s2c, 'response', requestHeader, header)
    const { status, headers = [], ath, body = '', pieces } = given
    const head = utf8(JSON.stringify({ status, headers, ...(ath === undefined ? {} : { ath }) }))
    if (pieces === undefined) {
      const bytes = typeof body === 'string' ? utf8(body) : body
      return concat(header, await sealWhole(cipher, key, head, bytes))
    }
    const sealRecord = createSealer(cipher, key)
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, head.length)
    const records = [await sealRecord(concat(length, head), false)]
    for (const piece of pieces) records.push(await sealRecord(utf8(piece), false))
    if (given.cutShort !== true) records.push(await sealRecord(new Uint8Array(), true))
    return concat(header, ...records)
  }

  const session: FakeSession = {
    sid: toBase64url(sid),
    inner,
    epochs,
    rotations: () => rotations,
    ended: false,
    handle,
  }
  return session
}
