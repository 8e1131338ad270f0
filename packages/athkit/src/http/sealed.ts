import { requireMediaType } from './body.ts'
import type { Endpoint } from './endpoint.ts'
import { withCommonHeaders } from './respond.ts'

/** `POST {session_endpoint}`: a whole HTTP request, sealed (ATH-7.1). What is inside has limits of its own. */
export const sealedEndpoint = (path: string): Endpoint => ({
  path,
  methods: {
    POST: async ({ service, request, caller }) => {
      requireMediaType(request, 'application/ath-sealed')
      return withCommonHeaders(await service.sealed(request, caller))
    },
  },
})
