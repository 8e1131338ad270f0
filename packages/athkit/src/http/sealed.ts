import { refuse } from '../errors.ts'
import { carried, wholeAnswer } from '../service/carried.ts'
import type { SealedBody } from '../service/index.ts'
import { requireMediaType } from './body.ts'
import type { Endpoint } from './endpoint.ts'
import { EVERYWHERE } from './respond.ts'

export const SEALED_TYPE = 'application/ath-sealed'
/** Of every sealed answer. */
export const SEALED_HEADERS: [string, string][] = [...EVERYWHERE, ['content-type', SEALED_TYPE]]

/** `POST {session_endpoint}`: a whole HTTP request, sealed (ATH-7.1). What is inside has limits of its own. */
export const sealedEndpoint = (path: string): Endpoint => ({
  path,
  methods: {
    POST: async ({ service, request, caller }) => {
      requireMediaType(request, SEALED_TYPE)
      const message = { body: await bodyOf(request), signal: () => request.signal }
      return sealedResponse(await service.sealed(message, caller), request)
    },
  },
})

/** @param request that it answers, if its adapter may take the answer beside the response */
export function sealedResponse(sealed: SealedBody, request?: Request): Response {
  if (!(sealed instanceof Uint8Array)) return new Response(sealed, { headers: SEALED_HEADERS })
  const headers: [string, string][] = [...SEALED_HEADERS, ['content-length', String(sealed.length)]]
  return request === undefined
    ? new Response(sealed, { headers })
    : wholeAnswer(request, sealed, 200, headers)
}

/** A body up to this size is read in one go. */
const SMALL_BYTES = 131_072

/** A client that goes away while it sends has sent something that ends too early. */
async function bodyOf(request: Request): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const whole = carried(request)
  if (whole !== undefined) return whole
  if (request.body === null) return new Uint8Array()
  const isChunked = request.headers.has('transfer-encoding')
  const length = Number(request.headers.get('content-length') ?? Number.NaN)
  try {
    if (length <= SMALL_BYTES && !isChunked) return new Uint8Array(await request.arrayBuffer())
  } catch (cause) {
    throw cutShort(cause)
  }
  return readUp(request.body)
}

async function* readUp(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch (cause) {
    throw cutShort(cause)
  } finally {
    reader.releaseLock()
  }
}

const cutShort = (cause: unknown) =>
  refuse('malformed_message', 'the body broke off', { rule: 'ATH-7.2', cause })
