import { parseFlight, parseMessage } from '../crypto/json.ts'
import { refuse } from '../errors.ts'
import type { Reply } from '../service/index.ts'
import { readJsonBody } from './body.ts'
import type { Call, Endpoint } from './endpoint.ts'
import { waitSeconds } from './prefer.ts'
import { jsonFor, refusalFor, retryAfter } from './respond.ts'

/** m1 at the endpoint itself; everything later at the handshake's own URL (ATH-3.3 – ATH-3.7). */
export function handshakeEndpoints(path: string): readonly Endpoint[] {
  return [
    { path, counted: true, methods: { POST: (call) => begin(call, path) } },
    { path: `${path}/`, below: true, counted: true, methods: { POST: advance, GET: outcome } },
  ]
}

async function begin({ service, request, caller }: Call, path: string): Promise<Response> {
  const message = parseMessage(await readJsonBody(request))
  const { id, response } = await service.begin(message, caller)
  return jsonFor(request, 201, response, { location: `${path}/${id}` })
}

async function advance({ service, request, rest }: Call): Promise<Response> {
  const { messages, isArray } = parseFlight(await readJsonBody(request))
  if (messages.length === 0) throw refuse('malformed_message', 'an empty flight', { rule: 'ATH-3.6' })
  try {
    return replied(request, await service.advance(rest, messages, isArray))
  } catch (error) {
    const refusal = refusalFor(service, error, 'handshake')
    const body = { ...refusal.toWire(service.now()) }
    return jsonFor(
      request,
      refusal.code,
      isArray ? [body] : body,
      retryAfter(refusal.code, refusal.retryAfter),
    )
  }
}

async function outcome({ service, request, rest }: Call): Promise<Response> {
  return replied(request, await service.outcome(rest, waitSeconds(request), request.signal))
}

const replied = (request: Request, { status, body, retryAfter: seconds }: Reply): Response =>
  jsonFor(request, status, body, retryAfter(status, seconds))
