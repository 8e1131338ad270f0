import type { AgentSession } from 'athkit/agent'
import { AthError, HandshakeError } from 'athkit/errors'
import { objectIn } from './arguments.ts'
import { Usage } from './trouble.ts'

/** `GET /x`, or `POST /x {"json":1}`. */
export interface RequestLine {
  /** Method and path. */
  readonly line: string
  readonly json?: Record<string, never>
}

export function requestLineIn(text: string): RequestLine {
  const [, method, path, body] = /^([A-Za-z]+) (\/\S*)(?: (.+))?$/s.exec(text.trim()) ?? []
  if (method === undefined || path === undefined) {
    throw new Usage(`'${text}' is no request: write a method and a path, as 'GET /x' or 'POST /x {"json":1}'`)
  }
  const line = `${method.toUpperCase()} ${path}`
  return body === undefined ? { line } : { line, json: objectIn(body, `the body of '${line}'`) }
}

/** What a service answered, ATH's own refusals among it. */
export interface Answered {
  readonly status: number
  readonly body: unknown
}

/** No more than this is held of an answer. */
const MOST_BYTES = 16 * 1024 * 1024

export interface Limits {
  /** For the whole answer. */
  readonly seconds: number
  readonly signal: AbortSignal
}

/**
 * Among other requests: what the service refuses is its answer; what it may not do ends the session.
 *
 * @throws HandshakeError, AthError for what a service may not do; the signal's reason
 */
export const send = (session: AgentSession, request: RequestLine, limits: Limits): Promise<Answered> =>
  inTime(limits, async (signal) => {
    const response = await dispatch(session, request, signal).catch(refusalAsAnswer)
    return { status: response.status, body: bodyOf(response, await textOf(response)) }
  })

/**
 * By itself: what the service refuses is an error.
 *
 * @param onPiece gets the body as it comes; in the answer without it
 */
export const sendAlone = (
  session: AgentSession,
  request: RequestLine,
  limits: Limits,
  onPiece?: (piece: Uint8Array) => void,
): Promise<Answered> =>
  inTime(limits, async (signal) => {
    const response = await dispatch(session, request, signal)
    if (onPiece === undefined)
      return { status: response.status, body: bodyOf(response, await textOf(response)) }
    for await (const piece of piecesOf(response)) onPiece(piece)
    return { status: response.status, body: '' }
  })

const dispatch = (session: AgentSession, { line, json }: RequestLine, signal: AbortSignal) =>
  session.request(line, { signal, ...(json === undefined ? {} : { json }) })

function refusalAsAnswer(error: unknown): Response {
  if (!(error instanceof HandshakeError) || error.rule !== undefined) throw error
  return Response.json(error.toWire(Math.floor(Date.now() / 1000)), { status: error.code })
}

async function inTime<T>({ seconds, signal }: Limits, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = AbortSignal.timeout(seconds * 1000)
  try {
    return await work(AbortSignal.any([signal, limit]))
  } catch (error) {
    if (!limit.aborted || signal.aborted) throw error
    throw new AthError('transport_failed', `no whole answer within ${seconds} s`, { cause: error })
  }
}

const piecesOf = ({ body }: Response): AsyncIterable<Uint8Array> =>
  (body ?? []) as unknown as AsyncIterable<Uint8Array>

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let [text, size] = ['', 0]
  for await (const piece of piecesOf(response)) {
    size += piece.length
    if (size > MOST_BYTES)
      throw new AthError('transport_failed', `an answer of more than ${MOST_BYTES} bytes`)
    text += decoder.decode(piece, { stream: true })
  }
  return text + decoder.decode()
}

function bodyOf(response: Response, text: string): unknown {
  const type = response.headers.get('content-type')?.split(';')[0]?.trim() ?? ''
  if (!/^application\/(json|[^;]+\+json)$/i.test(type)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
