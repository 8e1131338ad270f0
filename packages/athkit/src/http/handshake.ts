import { parseFlight, parseMessage } from '../crypto/json.ts'
import { refuse } from '../errors.ts'
import type { Reply } from '../service/index.ts'
import type { Answered, Call, Endpoint, Message } from './endpoint.ts'
import { waitSeconds } from './prefer.ts'
import { refusalFor, responseFor, retryAfter } from './respond.ts'

/** m1 at the endpoint itself; everything later at the handshake's own URL (ATH-3.3 – ATH-3.7). */
export function handshakeEndpoints(path: string): readonly Endpoint[] {
  return [
    { path, counted: true, messages: { POST: (message) => begin(message, path) } },
    { path: `${path}/`, below: true, counted: true, messages: { POST: advance }, methods: { GET: outcome } },
  ]
}

async function begin({ service, caller, body }: Message, path: string): Promise<Answered> {
  const { id, response } = await service.begin(parseMessage(body), caller)
  return { status: 201, body: response, headers: { location: `${path}/${id}` } }
}

async function advance({ service, rest, body }: Message): Promise<Answered> {
  const { messages, isArray } = parseFlight(body)
  if (messages.length === 0) throw refuse('malformed_message', 'an empty flight', { rule: 'ATH-3.6' })
  try {
    return replied(await service.advance(rest, messages, isArray))
  } catch (error) {
    const refusal = refusalFor(service, error, 'handshake')
    const said = { ...refusal.toWire(service.now()) }
    const headers = retryAfter(refusal.code, refusal.retryAfter)
    return { status: refusal.code, body: isArray ? [said] : said, headers }
  }
}

async function outcome({ service, request, rest }: Call): Promise<Response> {
  return responseFor(request, replied(await service.outcome(rest, waitSeconds(request), request.signal)))
}

const replied = ({ status, body, retryAfter: seconds }: Reply): Answered => ({
  status,
  body,
  headers: retryAfter(status, seconds),
})
