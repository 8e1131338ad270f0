import { parseMessage } from '../crypto/json.ts'
import { readJsonBody } from './body.ts'
import type { Endpoint } from './endpoint.ts'
import { json } from './respond.ts'

/** `POST {confirmation_endpoint}/{request_id}` with m7 (ATH-6.3.5). */
export function confirmationEndpoints(path: string): readonly Endpoint[] {
  const methods: Endpoint['methods'] = {
    POST: async ({ service, request, rest }) =>
      json(200, await service.answer(rest, parseMessage(await readJsonBody(request)))),
  }
  return [
    { path, counted: true, methods },
    { path: `${path}/`, below: true, counted: true, methods },
  ]
}
