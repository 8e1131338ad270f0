import { parseMessage } from '../crypto/json.ts'
import { readJsonBody } from './body.ts'
import type { Endpoint } from './endpoint.ts'
import { json } from './respond.ts'

/** `GET {grants_endpoint}`: the user's own live grants (ATH-8). */
export const grantsEndpoint = (path: string): Endpoint => ({
  path,
  counted: true,
  methods: {
    GET: async ({ service, request }) => {
      const wallet = await service.wallet(request.headers.get('authorization'))
      return json(200, await service.grants(wallet))
    },
  },
})

/** `POST {revocation_endpoint}` (ATH-8). */
export const revocationEndpoint = (path: string): Endpoint => ({
  path,
  counted: true,
  methods: {
    POST: async ({ service, request }) =>
      json(200, await service.revoke(parseMessage(await readJsonBody(request)))),
  },
})
