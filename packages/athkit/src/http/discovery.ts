import { DISCOVERY_PATH } from '../messages/discovery.ts'
import type { Endpoint } from './endpoint.ts'
import { jsonFor } from './respond.ts'

/** `GET /.well-known/ath-app.json` (ATH-3.2). */
export const discovery: Endpoint = {
  path: DISCOVERY_PATH,
  counted: true,
  methods: { GET: async ({ service, request }) => jsonFor(request, 200, service.discovery) },
}
