import { parseMessage } from '../crypto/json.ts'
import type { Endpoint } from './endpoint.ts'

/** `POST {confirmation_endpoint}/{request_id}` with m7 (ATH-6.3.5). */
export function confirmationEndpoints(path: string): readonly Endpoint[] {
  const messages: Endpoint['messages'] = {
    POST: async ({ service, body, rest }) => ({
      status: 200,
      body: await service.answer(rest, parseMessage(body)),
    }),
  }
  return [
    { path, counted: true, messages },
    { path: `${path}/`, below: true, counted: true, messages },
  ]
}
