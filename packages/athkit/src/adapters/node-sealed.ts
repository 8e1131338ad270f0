import type { IncomingMessage, ServerResponse } from 'node:http'
import { refusalAnswer } from '../http/respond.ts'
import { SEALED_HEADERS, SEALED_TYPE, sealedResponse } from '../http/sealed.ts'
import type { Caller, Service } from '../service/index.ts'
import { send } from './node-messages.ts'
import { isWhole, readWhole, signalOf } from './node-request.ts'
import { sendResponse } from './node-response.ts'
import { endOfTurn } from './turn.ts'

const HEADERS = SEALED_HEADERS.flat()

/** Whether it is a sealed request that a service's endpoint takes as it is, small enough to be read whole. */
export const isSmallSealed = (service: Service, incoming: IncomingMessage, target: string): boolean =>
  incoming.method === 'POST' &&
  target === service.endpoints.session_endpoint &&
  isWhole(incoming, SEALED_TYPE)

/**
 * A sealed request, without a `Request` and a `Response` around it: they would cost more than its cryptography, and there is another
 * one inside for the application.
 */
export async function answerSealed(
  service: Service,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  caller: Caller,
): Promise<void> {
  const body = await readWhole(incoming)
  await endOfTurn()
  try {
    const sealed = await service.sealed({ body, signal: signalOf(outgoing) }, caller)
    if (!(sealed instanceof Uint8Array)) return await sendResponse(sealedResponse(sealed), outgoing)
    outgoing.writeHead(200, [...HEADERS, 'content-length', String(sealed.length)]).end(sealed)
  } catch (error) {
    send(refusalAnswer(service, error, service.endpoints.session_endpoint, caller), outgoing)
  }
}
