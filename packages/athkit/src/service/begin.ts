import type { Json } from '../crypto/json.ts'
import { randomBytes, randomId } from '../crypto/random.ts'
import { parseDid } from '../did/did.ts'
import { refuse } from '../errors.ts'
import {
  clientKeyOf,
  createHandshakeResponse,
  type HandshakeResponse,
  negotiate,
  type ReceivedHandshakeRequest,
  receiveHandshakeRequest,
} from '../handshake/index.ts'
import { addressGroup } from '../net/address.ts'
import type { Started } from './audit-facts.ts'
import { clientInfoOf, infoInDocument } from './client-info.ts'
import type { Caller, ServiceContext } from './context.ts'
import { handshakeRows } from './handshake-rows.ts'
import type { HandshakeState } from './handshake-state.ts'
import { LONGEST_DID, resolveClient } from './parties.ts'
import { finishNowAndThen } from './revocation/index.ts'

export interface Begun {
  /** Of the handshake: its URL ends with it (ATH-3.3). */
  readonly id: string
  readonly response: HandshakeResponse
}

/** ATH-6.1.4: an m1 is accepted while its clock is within 300 s, and its nonce is remembered for as long. */
const SKEW_SECONDS = 300

/**
 * m1 → m2. What costs nothing is checked first: limits by address, shape, clock, the nonce's form and commitment, and whether it
 * was seen; then the algorithms, and the DID is resolved.
 *
 * @throws HandshakeError; an m1 that was refused leaves nothing behind
 */
export async function begin(context: ServiceContext, message: Json, caller: Caller): Promise<Begun> {
  context.admission.admitHandshake(caller.address)
  finishNowAndThen(context)
  const received = await receiveHandshakeRequest(message, { origins: context.origins, now: context.now() })
  const { client_did, nonce, timestamp } = received.request
  if (!received.committed && context.refusePlainNonces) {
    throw refuse('nonce_mismatch', 'plain nonces are refused by policy', { rule: 'ATH-6.1.2', step: 'm1' })
  }
  parseDid(client_did)
  if (client_did.length > LONGEST_DID) {
    throw refuse('malformed_message', 'the DID is too long', { rule: 'ATH-4.1', step: 'm1' })
  }
  context.admission.takeNonce(client_did, nonce, timestamp + SKEW_SECONDS)
  const id = randomId()
  try {
    const displaced = context.admission.open(id)
    if (displaced !== undefined) await handshakeRows(context).forget(displaced)
    const response = await respond(context, id, received, caller.address)
    const event = { handshakeId: id, clientDid: client_did, address: caller.address }
    context.emit({ type: 'handshake_started', committedNonce: received.committed, ...event })
    return { id, response }
  } catch (error) {
    context.admission.closed(id)
    context.admission.giveBackNonce(client_did, nonce)
    throw error
  }
}

/** All that can come is named from the beginning: so every state is an object of one kind, which is quick to copy. */
const NOTHING_YET = {
  m3: undefined,
  m5: undefined,
  m9a: undefined,
  refused: undefined,
  handshakeHash: undefined,
  scopeRequestHash: undefined,
  user: undefined,
  asking: undefined,
  flight: undefined,
  completion: undefined,
}

async function respond(
  context: ServiceContext,
  id: string,
  { request, audience, committed: committedNonce }: ReceivedHandshakeRequest,
  address: string,
): Promise<HandshakeResponse> {
  const server = context.identity
  const clientKey = await clientKeyOf(request)
  const negotiated = negotiate(request, {
    capabilities: context.capabilities,
    keys: [clientKey.alg, server.signer.publicKey.alg],
  })
  const resolution = await resolveClient(context, request.client_did, clientKey, addressGroup(address))
  const now = context.now()
  const random = randomBytes(16)
  const response = await createHandshakeResponse({ server, request, audience, negotiated, now, random })
  const started: Started = { at: now, address, committedNonce }
  const state: HandshakeState = {
    id,
    started,
    audience,
    clientInfo: await clientInfoOf(context, request.client_did, infoInDocument(resolution)),
    m1: request,
    m2: response,
    phase: 'identity',
    advancedAt: now,
    ...NOTHING_YET,
  }
  if (!(await handshakeRows(context).save(state, 'absent'))) throw new Error('the handshake id was taken')
  return response
}
