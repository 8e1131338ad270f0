import { DISCOVERY_PATH } from '../messages/discovery.ts'
import type { Endpoint } from './endpoint.ts'

/** `GET /.well-known/ath-app.json` (ATH-3.2). */
export const discovery: Endpoint = {
  path: DISCOVERY_PATH,
  counted: true,
  messages: { GET: async ({ service }) => ({ status: 200, body: service.discovery }) },
}
