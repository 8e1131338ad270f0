import { parseMessage } from '../crypto/json.ts'
import type { Endpoint } from './endpoint.ts'
import { responseFor } from './respond.ts'

/** `GET {grants_endpoint}`: the user's own live grants (ATH-8). */
export const grantsEndpoint = (path: string): Endpoint => ({
  path,
  counted: true,
  methods: {
    GET: async ({ service, request }) => {
      const wallet = await service.wallet(request.headers.get('authorization'))
      return responseFor(request, { status: 200, body: await service.grants(wallet) })
    },
  },
})

/** `POST {revocation_endpoint}` (ATH-8). */
export const revocationEndpoint = (path: string): Endpoint => ({
  path,
  counted: true,
  messages: {
    POST: async ({ service, body }) => ({ status: 200, body: await service.revoke(parseMessage(body)) }),
  },
})
