import { utf8 } from '../crypto/bytes.ts'
import type { ConfirmationRequest } from '../handshake/index.ts'
import { createInboxListing } from '../messages/inbox.ts'
import type { Call, Endpoint } from './endpoint.ts'
import { waitSeconds } from './prefer.ts'
import { responseFor, withCommonHeaders } from './respond.ts'

/** `GET {inbox_endpoint}`: a list, a long-poll, or a stream (ATH-6.3.5). */
export const inboxEndpoint = (path: string): Endpoint => ({ path, counted: true, methods: { GET: inbox } })

async function inbox(call: Call): Promise<Response> {
  const { service, request } = call
  const wallet = await service.wallet(request.headers.get('authorization'))
  if (!wantsEvents(request)) {
    const pending = await service.inbox(wallet, waitSeconds(request), request.signal)
    return responseFor(request, { status: 200, body: createInboxListing(pending) })
  }
  const gone = new AbortController()
  const signal = AbortSignal.any([request.signal, gone.signal])
  const stream = events(call, service.questions(wallet, signal), gone)
  return withCommonHeaders(new Response(stream, { headers: { 'content-type': 'text/event-stream' } }))
}

const wantsEvents = (request: Request): boolean =>
  (request.headers.get('accept') ?? '')
    .split(',')
    .some((type) => type.split(';')[0]?.trim().toLowerCase() === 'text/event-stream')

/** So that nothing between takes an idle stream for a dead one. */
const KEEP_ALIVE_MS = 15_000

function events(
  { service }: Call,
  questions: AsyncGenerator<ConfirmationRequest>,
  gone: AbortController,
): ReadableStream<Uint8Array> {
  let keepAlive: ReturnType<typeof setInterval> | undefined
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(utf8(': open\n\n'))
      keepAlive = setInterval(() => controller.enqueue(utf8(': still open\n\n')), KEEP_ALIVE_MS)
      pump(controller).catch((cause: unknown) =>
        service.emit({ type: 'failed', where: 'inbox stream', cause }),
      )
    },
    cancel() {
      clearInterval(keepAlive)
      gone.abort()
    },
  })

  async function pump(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      for await (const question of questions) controller.enqueue(utf8(eventOf(question)))
    } finally {
      clearInterval(keepAlive)
      if (!gone.signal.aborted) controller.close()
    }
  }
}

const eventOf = (question: ConfirmationRequest): string =>
  `id: ${question.request_id}\ndata: ${JSON.stringify(question)}\n\n`
