import type { Service } from '../service/index.ts'
import { confirmationEndpoints } from './confirmations.ts'
import { discovery } from './discovery.ts'
import { dispatch, type Handler } from './dispatch.ts'
import type { Endpoint } from './endpoint.ts'
import { enrolmentEndpoint } from './enrolment.ts'
import { grantsEndpoint, revocationEndpoint } from './grants.ts'
import { handshakeEndpoints } from './handshake.ts'
import { inboxEndpoint } from './inbox.ts'
import { sealedEndpoint } from './sealed.ts'

/** The service on HTTP (ATH-3). */
export const createHandler = (service: Service): Handler => dispatch(service, endpointsOf(service))

/** Where it answers: what a framework has to leave to it. */
export function endpointsOf({
  endpoints: at,
  enrolment,
}: Pick<Service, 'endpoints' | 'enrolment'>): readonly Endpoint[] {
  return [
    sealedEndpoint(at.session_endpoint),
    ...handshakeEndpoints(at.handshake_endpoint),
    ...confirmationEndpoints(at.confirmation_endpoint),
    inboxEndpoint(at.inbox_endpoint),
    grantsEndpoint(at.grants_endpoint),
    revocationEndpoint(at.revocation_endpoint),
    ...(enrolment === undefined ? [] : [enrolmentEndpoint(enrolment)]),
    discovery,
  ]
}
