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

/** Longer or bigger than this no answer is waited for; a service that never ends one is broken off. */
const MOST_BYTES = 16 * 1024 * 1024

/**
 * @param seconds for the whole answer
 * @throws HandshakeError, AthError what ends the session; the signal's reason
 */
export async function send(
  session: AgentSession,
  request: RequestLine,
  { seconds, signal }: { readonly seconds: number; readonly signal: AbortSignal },
): Promise<Answered> {
  const limit = AbortSignal.timeout(seconds * 1000)
  try {
    const response = await dispatched(session, request, AbortSignal.any([signal, limit]))
    return { status: response.status, body: bodyOf(response, await textOf(response)) }
  } catch (error) {
    if (limit.aborted && !signal.aborted) {
      throw new AthError('transport_failed', `no whole answer within ${seconds} s`, { cause: error })
    }
    throw error
  }
}

/** The response, its body still to come. */
export const dispatched = (
  session: AgentSession,
  { line, json }: RequestLine,
  signal: AbortSignal,
): Promise<Response> =>
  session.request(line, { signal, ...(json === undefined ? {} : { json }) }).catch((error: unknown) => {
    // What the service refuses is its answer; what it may not do ends the session.
    if (error instanceof HandshakeError && error.rule === undefined) {
      return Response.json(error.toWire(Math.floor(Date.now() / 1000)), { status: error.code })
    }
    throw error
  })

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let [text, size] = ['', 0]
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
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
