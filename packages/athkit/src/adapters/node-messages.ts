import type { IncomingMessage, ServerResponse } from 'node:http'
import { MAX_BYTES } from '../crypto/json.ts'
import { answerMessage, isAt, NOTHING } from '../http/dispatch.ts'
import type { Answered, AnswerMessage, Endpoint, Method } from '../http/endpoint.ts'
import { endpointsOf } from '../http/handler.ts'
import { headersOfAnswer } from '../http/respond.ts'
import type { Caller, Service } from '../service/index.ts'
import { isWhole, readWhole } from './node-request.ts'

/** A message that an endpoint takes as it comes. */
export interface DirectMessage {
  readonly endpoint: Endpoint
  readonly answer: AnswerMessage
  readonly rest: string
}

/**
 * Whether what comes in is a message that needs no `Request`: JSON that may be read whole, or a GET, at a path that cannot be written
 * in two ways. Everything else goes through the handler.
 */
export function directMessage(
  service: Service,
  incoming: IncomingMessage,
  target: string,
): DirectMessage | undefined {
  const { method } = incoming
  const isWholeJson = method === 'POST' && isWhole(incoming, 'application/json', MAX_BYTES)
  if (!isWholeJson && !(method === 'GET' && hasNoBody(incoming))) return undefined
  const endpoint = endpointsFor(service).find((one) => isAt(one, target))
  const answer = endpoint?.messages?.[method as Method]
  if (endpoint === undefined || answer === undefined) return undefined
  const rest = target.slice(endpoint.path.length)
  return endpoint.below === true && !ID.test(rest) ? undefined : { endpoint, answer, rest }
}

const ID = /^[\w-]+$/

const known = new WeakMap<Service, readonly Endpoint[]>()

function endpointsFor(service: Service): readonly Endpoint[] {
  const endpoints = known.get(service) ?? endpointsOf(service)
  known.set(service, endpoints)
  return endpoints
}

const hasNoBody = ({ headers }: IncomingMessage): boolean =>
  headers['content-length'] === undefined && headers['transfer-encoding'] === undefined

/** The message and its answer, without a `Request` and a `Response` around them, which cost more than to read and write them. */
export async function answerDirectly(
  service: Service,
  { endpoint, answer, rest }: DirectMessage,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  caller: Caller,
): Promise<void> {
  const body = incoming.method === 'POST' ? await readWhole(incoming) : NOTHING
  send(await answerMessage(service, endpoint, answer, { rest, caller, read: () => body }), outgoing)
}

export function send(answered: Answered, outgoing: ServerResponse): void {
  const text = JSON.stringify(answered.body)
  const headers = headersOfAnswer(answered).flat()
  headers.push('content-length', String(Buffer.byteLength(text)))
  outgoing.writeHead(answered.status, headers).end(text)
}
