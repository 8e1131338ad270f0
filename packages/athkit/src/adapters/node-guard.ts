import type { IncomingMessage } from 'node:http'
import { HandshakeError } from '../errors.ts'
import { refusalResponse } from '../service/index.ts'
import { innerRequestOf, markRefused } from './inner-server.ts'

/**
 * What a guard of a route has against a request, as the response that says so; undefined when it may pass.
 *
 * @param check throws a HandshakeError; what did not come through a session is shown to it as a request without a grant
 */
export async function refusalOn(
  incoming: IncomingMessage,
  check: (request: Request) => void | Promise<void>,
): Promise<Response | undefined> {
  const request = innerRequestOf(incoming) ?? new Request('https://localhost/')
  try {
    await check(request)
    return undefined
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    const now = Math.floor(Date.now() / 1000)
    markRefused(request, refusalResponse(error, now))
    return refusalResponse(error, now)
  }
}
