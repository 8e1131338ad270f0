import { concat, fromBase64url, toBase64url, utf8 } from '../../crypto/bytes.ts'
import { randomBytes } from '../../crypto/random.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import { openExchange, sealStream, sealWhole, splitHead } from '../../session/exchange.ts'
import { checkHeadTimestamp, isOwnPath, type RequestHead, readRequestHead } from '../../session/head.ts'
import { decodeRequestHeader, encodeResponseHeader, REQUEST_HEADER_BYTES } from '../../session/header.ts'
import type { EpochKeys } from '../../session/keys.ts'
import { createReader, exchangeKey } from '../../session/records.ts'
import type { AccessTokenClaims } from '../../token/access-token.ts'
import type { Caller, ServiceContext } from '../context.ts'
import {
  bindEnforcers,
  bindGrant,
  type Grant,
  refusalOf,
  refusalResponse,
  requiredScopes,
} from '../grant-of.ts'
import type { GrantRow } from '../rows.ts'
import { type Admitted, admit } from './admit.ts'
import {
  bodyHashOf,
  type Claim,
  claimOf,
  finishClaim,
  isKeepable,
  type KeptAnswer,
  releaseClaim,
} from './idempotency.ts'
import { type FoundKeys, findKeys } from './sessions.ts'
import { presentedToken } from './tokens.ts'

const SEALED = 'application/ath-sealed'

/** What a handler is given of a sealed body at most (ATH-7.4). */
const MOST_BODY = 1_048_576

/**
 * A sealed request (ATH-7): open record 0, mark and judge, hand it to the application, seal what comes back.
 *
 * @throws HandshakeError only for what is said outside the seal: `malformed_message`, `session_unknown`, `session_expired`
 */
export async function handleSealed(
  context: ServiceContext,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const reader = createReader(
    request.body === null ? new Uint8Array() : (request.body as AsyncIterable<Uint8Array>),
  )
  const headerBytes = new Uint8Array(await reader.read(REQUEST_HEADER_BYTES))
  const header = decodeRequestHeader(headerBytes)
  const found = await findKeys(context, toBase64url(header.sid), header.epoch)
  const { keys } = found.epoch
  const opened = await openExchange(keys.cipher, await exchangeKey(keys.c2s, 'request', headerBytes), reader)
  const inner = await answer(context, found, header.seq, opened, caller, request.signal)
  return seal(keys, headerBytes, inner)
}

interface Opened {
  readonly record0: Uint8Array
  body(): AsyncGenerator<Uint8Array, void, undefined>
}

/** The inner answer: the application's, or ATH's own refusal. Only what is for outside the seal is thrown. */
async function answer(
  context: ServiceContext,
  found: FoundKeys,
  seq: number,
  opened: Opened,
  caller: Caller,
  signal: AbortSignal,
): Promise<Response> {
  const read = await readInner(context, opened)
  const head = read.head
  const token = head === undefined ? refuse('token_invalid', 'no head') : await tokenOf(context, found, head)
  const claim = await claimFor(context, found, read)
  let admitted: Admitted
  try {
    const { known, epoch } = found
    admitted = await admit(context, {
      known,
      epoch,
      seq,
      address: caller.address,
      own: undefined,
      fault: read.fault,
      token,
      claim,
    })
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    // A session that is gone is said outside (ATH-7.11).
    if (error.error === 'session_unknown') throw error
    return refusalResponse(error, context.now())
  }
  if (admitted.kept !== undefined) return fromKept(admitted.kept)
  return dispatch(context, found, head as RequestHead, read.body, admitted, signal)
}

interface Inner {
  readonly head: RequestHead | undefined
  readonly body: Uint8Array
  readonly fault: HandshakeError | undefined
}

/** Head, clock and body; what is wrong with them is judged only once the sequence number is used up. */
async function readInner(context: ServiceContext, opened: Opened): Promise<Inner> {
  let head: RequestHead | undefined
  const parts: Uint8Array[] = []
  try {
    head = readRequestHead(splitHead(opened.record0).head, Object.values(context.endpoints))
    checkHeadTimestamp(head, context.now())
    // The session's own paths are not served by this version.
    if (isOwnPath(head))
      throw refuse('malformed_message', 'the session has no such path here', { rule: 'ATH-7.9' })
    let length = 0
    for await (const part of opened.body()) {
      length += part.length
      if (length > MOST_BODY) throw refuse('message_too_large', 'the body', { rule: 'ATH-7.4' })
      parts.push(part)
    }
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    return { head, body: new Uint8Array(), fault: error }
  }
  return { head, body: concat(...parts), fault: undefined }
}

async function tokenOf(context: ServiceContext, { known }: FoundKeys, head: RequestHead) {
  try {
    return await presentedToken(context, known, head.headers, false)
  } catch (error) {
    if (error instanceof HandshakeError) return error
    throw error
  }
}

async function claimFor(
  context: ServiceContext,
  { known }: FoundKeys,
  { head, body, fault }: Inner,
): Promise<Claim | undefined> {
  const key = head?.headers.find(([name]) => name.toLowerCase() === 'idempotency-key')?.[1]
  if (head === undefined || key === undefined || fault !== undefined || key === '' || key.length > 255)
    return undefined
  const { audience } = known.session
  const { method, path } = head
  return claimOf(context, { audience, idempotencyKey: key, method, path, bodyHash: await bodyHashOf(body) })
}

async function dispatch(
  context: ServiceContext,
  { known }: FoundKeys,
  head: RequestHead,
  body: Uint8Array,
  { claims, held }: Admitted,
  signal: AbortSignal,
): Promise<Response> {
  const inner = innerRequest(known.session.audience, head, body, signal)
  bindGrant(inner, grantFor(known.grant, claims))
  bindEnforcers(inner, context.enforcers)
  let response: Response
  try {
    response = await context.application(inner)
  } catch (cause) {
    if (held !== undefined) await finishClaim(context, known.partition, held, undefined)
    if (cause instanceof HandshakeError) return refusalResponse(cause, context.now())
    context.emit({ type: 'failed', where: 'the application', cause })
    return refusalResponse(refuse('internal', 'the handler failed'), context.now())
  }
  if (held === undefined) return response
  if (refusalOf(response) !== undefined || !isKeepable(response.status)) {
    await releaseClaim(context, known.partition, held)
    return response
  }
  return keep(context, known.partition, held, response, requiredScopes(inner))
}

const MOST_KEPT = 1_048_576

async function keep(
  context: ServiceContext,
  partition: string,
  held: NonNullable<Admitted['held']>,
  response: Response,
  scopes: readonly string[],
): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  const headers = [...response.headers]
  const small = bytes.length <= MOST_KEPT ? { body: toBase64url(bytes) } : {}
  const answer: KeptAnswer = { status: response.status, headers, ...small }
  await finishClaim(context, partition, held, { answer, scopes })
  return new Response(hasNoBody(response.status) ? null : bytes, {
    status: response.status,
    headers: response.headers,
  })
}

const hasNoBody = (status: number) => status === 204 || status === 205 || status === 304

function innerRequest(origin: string, head: RequestHead, body: Uint8Array, signal: AbortSignal): Request {
  const headers = head.headers.filter(([name]) => name.toLowerCase() !== 'accept-encoding')
  const hasBody = body.length > 0 && !['GET', 'HEAD'].includes(head.method)
  return new Request(origin + head.path, {
    method: head.method,
    headers: headers as [string, string][],
    signal,
    ...(hasBody ? { body: body as Uint8Array<ArrayBuffer> } : {}),
  })
}

const grantFor = (grant: GrantRow, claims: AccessTokenClaims): Grant => ({
  id: grant.id,
  sid: grant.sid,
  clientDid: grant.clientDid,
  userDid: grant.userDid,
  account: grant.account,
  audience: grant.audience,
  scopes: claims.scope.split(' '),
  restrictions: claims.restrictions ?? {},
  expiresAt: grant.expiresAt,
})

function fromKept({ status, headers, body }: KeptAnswer): Response {
  const bytes =
    body === undefined || hasNoBody(status) ? null : (fromBase64url(body) as Uint8Array<ArrayBuffer>)
  return new Response(bytes, { status, headers: headers as [string, string][] })
}

const LEFT_OUT = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'trailer',
  'content-length',
  'te',
])

/** Seals an answer: an event stream record by record as it comes, anything else whole (ATH-7.3, ATH-7.4). */
async function seal(keys: EpochKeys, requestHeader: Uint8Array, inner: Response): Promise<Response> {
  const header = encodeResponseHeader(randomBytes(16))
  const key = await exchangeKey(keys.s2c, 'response', requestHeader, header)
  const headers = [...inner.headers].filter(([name]) => !LEFT_OUT.has(name))
  const ath = refusalOf(inner) === undefined ? {} : { ath: true }
  const head = utf8(JSON.stringify({ status: inner.status, headers, ...ath }))
  const isStream = inner.headers.get('content-type')?.startsWith('text/event-stream') === true
  const options = { status: 200, headers: { 'content-type': SEALED, 'cache-control': 'no-store' } }
  if (isStream && inner.body !== null) {
    const records = sealStream(keys.cipher, key, head, inner.body as AsyncIterable<Uint8Array>)
    return new Response(streamOf(header, records), options)
  }
  const body = new Uint8Array(await inner.arrayBuffer())
  const records = await sealWhole(keys.cipher, key, head, body)
  return new Response(concat(header, records) as Uint8Array<ArrayBuffer>, options)
}

function streamOf(
  header: Uint8Array,
  records: AsyncGenerator<Uint8Array, void, undefined>,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(header),
    async pull(controller) {
      const { done, value } = await records.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
    cancel: async () => {
      await records.return()
    },
  })
}
