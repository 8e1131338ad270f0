import type { Service } from '../service/index.ts'
import { confirmationEndpoints } from './confirmations.ts'
import { discovery } from './discovery.ts'
import { dispatch, type Handler } from './dispatch.ts'
import { grantsEndpoint, revocationEndpoint } from './grants.ts'
import { handshakeEndpoints } from './handshake.ts'
import { inboxEndpoint } from './inbox.ts'
import { sealedEndpoint } from './sealed.ts'

/** The service on HTTP (ATH-3). */
export function createHandler(service: Service): Handler {
  const { endpoints: at } = service
  return dispatch(service, [
    sealedEndpoint(at.session_endpoint),
    ...handshakeEndpoints(at.handshake_endpoint),
    ...confirmationEndpoints(at.confirmation_endpoint),
    inboxEndpoint(at.inbox_endpoint),
    grantsEndpoint(at.grants_endpoint),
    revocationEndpoint(at.revocation_endpoint),
    discovery,
  ])
}
