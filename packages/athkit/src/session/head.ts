import * as v from 'valibot'
import { parseMessage } from '../crypto/json.ts'
import { checkTimestamp, shaped, time } from '../crypto/shape.ts'
import { refuse } from '../errors.ts'

const Headers = v.array(v.strictTuple([v.string(), v.string()]))
const RequestHead = v.object({ method: v.string(), path: v.string(), headers: Headers, timestamp: time })
const ResponseHead = v.object({
  status: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)),
  headers: Headers,
  ath: v.nullish(v.boolean()),
})
export type RequestHead = v.InferOutput<typeof RequestHead>
/** `ath` is true where ATH itself decided, and not the application (ATH-7.4). */
export type ResponseHead = v.InferOutput<typeof ResponseHead>

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** RFC 9110 §5.5: visible characters, obs-text as Latin-1, and white space between them. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
const REFUSED = new Set([
  'host',
  'content-length',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'forwarded',
  'via',
  'x-real-ip',
])

/**
 * The head of a sealed request, by every rule of ATH-7.4 but the clock.
 *
 * @param endpoints paths of discovery's endpoints: they, and all below them, exist outside alone
 * @throws HandshakeError `malformed_message`
 */
export function readRequestHead(bytes: Uint8Array, endpoints: readonly string[]): RequestHead {
  const head: RequestHead = shaped(RequestHead, parseMessage(bytes), 'head')
  if (!TOKEN.test(head.method) || ['CONNECT', 'TRACE'].includes(head.method.toUpperCase()))
    throw malformed('method')
  checkPath(head, endpoints)
  checkHeaders(head.headers)
  for (const [name] of head.headers) {
    const lower = name.toLowerCase()
    if (REFUSED.has(lower) || lower.startsWith('x-forwarded-'))
      throw malformed('a header that has no place inside')
  }
  return head
}

/** @throws HandshakeError `timestamp_skew` */
export const checkHeadTimestamp = (head: RequestHead, now: number): void =>
  checkTimestamp(head.timestamp, now, 'head')

/** @throws HandshakeError `malformed_message` */
export function readResponseHead(bytes: Uint8Array): ResponseHead {
  const head: ResponseHead = shaped(ResponseHead, parseMessage(bytes), 'head')
  checkHeaders(head.headers)
  return head
}

function checkHeaders(headers: readonly (readonly [string, string])[]): void {
  for (const [name, value] of headers) {
    if (!TOKEN.test(name) || !VALUE.test(value)) throw malformed('a header outside RFC 9110')
  }
}

const DOT_SEGMENT = /\/\.\.?(?:\/|$)/
const SESSION = '/ath/session'
const OWN = new Set(['POST /ath/session/keys', 'POST /ath/session/token', 'DELETE /ath/session'])

/** Whether the request is one of the session's own (ATH-7.9, ATH-7.10), which exist inside alone. */
export const isOwnPath = ({ method, path }: RequestHead): boolean => OWN.has(`${method} ${path}`)

function checkPath(head: RequestHead, endpoints: readonly string[]): void {
  // Nothing but visible ASCII can stand in a request target.
  if (!/^[\x21-\x7e]+$/.test(head.path) || head.path.includes('#')) throw malformed('path: characters')
  const [before = ''] = head.path.split('?', 1)
  const path = decodeOnce(before)
  if (!before.startsWith('/') || path.startsWith('//')) throw malformed('path does not begin with one slash')
  // What was not encoded is visible ASCII, as was just seen.
  if (path.includes('\\') || path.includes('#') || (path !== before && hasControl(path)))
    throw malformed('path: refused character')
  if (DOT_SEGMENT.test(path)) throw malformed('path: dot segment')
  if (endpoints.some((endpoint) => isAtOrBelow(path, endpoint))) throw malformed('an endpoint of ATH')
  if (isAtOrBelow(path, SESSION) && !isOwnPath(head)) throw malformed('below the path of the session itself')
}

const isAtOrBelow = (path: string, base: string): boolean =>
  path.startsWith(base) && (path.length === base.length || path[base.length] === '/')

const hasControl = (text: string): boolean =>
  [...text].some((character) => character < ' ' || character === '\x7f')

/** Percent-decoded once, byte by byte; a `%` without two hex digits is malformed. */
function decodeOnce(path: string): string {
  if (!path.includes('%')) return path
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) throw malformed('path: percent-encoding')
  return path.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

const malformed = (reason: string) => refuse('malformed_message', `head: ${reason}`, { rule: 'ATH-7.4' })
