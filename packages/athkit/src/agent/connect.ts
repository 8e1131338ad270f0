/**
 * One handshake, the agent's side: the steps, awaited in their order. What each message is made of and checked for stands in
 * `handshake/`, one file for each.
 */
import { again, call, discover, jsonBytes } from '../client/index.ts'
import { KEY_EXCHANGES, type KeyExchangeAlgorithm } from '../crypto/algorithms.ts'
import { generateShare } from '../crypto/ecdh.ts'
import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { randomBytes } from '../crypto/random.ts'
import { HandshakeError, refuse } from '../errors.ts'
import * as h from '../handshake/index.ts'
import { resolveLocation } from '../messages/index.ts'
import type { AgentContext } from './context.ts'
import { deniedOf, ScopesDenied } from './denied.ts'
import type { Established } from './established.ts'
import { createNarrator, type Narrator } from './events.ts'
import { type Line, sendFlight } from './flight.ts'
import type { Wish } from './from-vault.ts'
import { awaitOutcome, receivePending } from './pending.ts'

/** @throws HandshakeError by the name of the check that failed, or what the server refused us with; {@link ScopesDenied} */
export async function shakeHands(agent: AgentContext, origin: string, wish: Wish): Promise<Established> {
  const { identity: client, now, sleep } = agent
  const { signal } = wish
  const tell = createNarrator(wish.onStep)
  const onRetry = (error: Error, milliseconds: number) =>
    tell.tell({ type: 'retrying', reason: error.message, milliseconds })
  const attempts = { sleep, signal, onRetry }
  const { endpoints } = await again(attempts, () => discover(agent.transport, origin, { ...agent, signal }))
  const audience = new URL(endpoints.handshake_endpoint).origin

  // 1 · 2 · who are you: nothing is signed before the server's answer has passed every check (ATH-6.1.5)
  const { m1, m2, url } = await again(attempts, async () => {
    const m1 = await h.createHandshakeRequest({
      client,
      audience,
      ...(agent.capabilities === undefined ? {} : { capabilities: agent.capabilities }),
      now: now(),
      random: randomBytes(16),
    })
    tell.sent('m1', m1)
    const body = jsonBytes(m1)
    const answer = await call(agent.transport, {
      url: endpoints.handshake_endpoint,
      method: 'POST',
      body,
      signal,
    })
    const url = resolveLocation(answer.headers.get('location'), endpoints.handshake_endpoint)
    return { m1, m2: answer.body, url }
  })
  const server = await verifyServer(agent, wish, m2, m1, audience)
  tell.verified('m2', server.response, server.anchored)
  const line: Line = { transport: agent.transport, url, attempts }

  // 3 · 5 · 9a · who we are, what we ask for, our share: in one flight when nothing of it waits for m4
  const m3 = await h.createIdentityProof({
    client,
    response: server.response,
    ...(wish.credentials === undefined ? {} : { credentials: wish.credentials }),
    now: now(),
  })
  const handshakeHash = await h.handshakeHash(m1, server.response, m3)
  const asked = { audience, handshakeHash, server: server.response }
  tell.sent('m3', m3)
  const { scopes } = wish
  const early = typeof scopes === 'function' ? undefined : await ask(agent, wish, asked, scopes, tell)
  const first = await sendFlight(line, early === undefined ? [m3] : [m3, early.m5, early.m9a])

  // 4 · what the service offers
  const { result: m4, metadata } = h.verifyIdentityResult(first[0], now())
  tell.verified('m4', m4)
  const chosen = typeof scopes === 'function' ? scopes(metadata) : scopes
  const { m5, m9a, share } = early ?? (await ask(agent, wish, asked, chosen, tell))
  let answers = early === undefined ? await sendFlight(line, [m5, m9a]) : first.slice(1)

  // 6 · 7 · the user is asked, on a channel that is none of ours
  let question: string | undefined
  if (answers[0]?.type === 'authorization_pending') {
    const pending = receivePending(answers[0], now())
    question = pending.confirmation_request
    const { expires_at: expiresAt, binding_code: bindingCode, request_id: requestId } = pending
    tell.verified('202', pending)
    tell.tell({ type: 'waiting', expiresAt, bindingCode, requestId })
    wish.onPending?.({ expiresAt, bindingCode, requestId })
    answers = await awaitOutcome(line, pending, now)
  }

  // 8 · what is granted
  const [m8Received, m9bReceived] = answers
  const m8 = h.verifyScopeResult(m8Received, {
    request: m5,
    metadata,
    confirmationRequest: question,
    now: now(),
  })
  checkWithinCredential(m8, wish.authorization)
  tell.verified('m8', m8)
  if (m8.scopes_granted.length === 0)
    throw new ScopesDenied(deniedOf(m8.scopes_denied), 'nothing was granted')

  // 9b · the keys and the token; the server is proven now
  const messages: h.HandshakeMessages = { m1, m2: server.response, m3, m4, m5, m8, m9a }
  const complete = await h.verifyHandshakeComplete(m9bReceived, {
    audience,
    userDid: userOf(wish.authorization),
    messages,
    share,
    serverKey: server.serverKey,
    tokenMaxTtl: metadata.tokenMaxTtl,
    now: now(),
  })
  tell.verified('m9b', complete.message)
  return {
    audience,
    sessionEndpoint: endpoints.session_endpoint,
    server,
    metadata,
    messages,
    complete,
    denied: deniedOf(m8.scopes_denied),
    grantEnd: h.grantEnd(m8),
    askedUser: question !== undefined || (m8.confirmation ?? undefined) !== undefined,
  }
}

/** The checks of m2; a key that its cached document does not have is looked for in a fresh one (ATH-4.4). */
async function verifyServer(
  agent: AgentContext,
  { authorization, serverDid, signal }: Wish,
  message: Json,
  request: h.HandshakeRequest,
  audience: string,
): Promise<h.VerifiedServer> {
  const verify = (fresh: boolean) =>
    h.verifyHandshakeResponse(message, {
      request,
      audience,
      now: agent.now(),
      resolver: { resolve: (did) => agent.resolver.resolve(did, { fresh, signal }) },
      pins: serverDid === undefined ? agent.pins : [serverDid],
      credentialAudience: audienceOf(authorization),
      literalPeers: agent.literalPeers,
      trustOnFirstUse: agent.trustOnFirstUse,
    })
  const server = await verify(false).catch((error: unknown) => {
    if (error instanceof HandshakeError && error.error === 'key_mismatch') return verify(true)
    throw error
  })
  if (serverDid !== undefined && server.response.server_did !== serverDid) {
    throw refuse('identity_unknown', 'another server than the one asked for', {
      rule: 'ATH-6.1.5',
      step: 'm2',
    })
  }
  return server
}

interface Asked {
  readonly audience: string
  readonly handshakeHash: string
  readonly server: h.HandshakeResponse
}

/** m5 and m9a: both are known as soon as m3 is (ATH-6.2.2, ATH-6.5.1). */
async function ask(
  agent: AgentContext,
  wish: Wish,
  { audience, handshakeHash, server }: Asked,
  scopes: readonly string[],
  tell: Narrator,
) {
  const { identity: client, now } = agent
  const m5 = await h.createScopeRequest({
    client,
    audience,
    handshakeHash,
    scopes,
    credential: wish.authorization,
    ...(wish.ttlSeconds === undefined ? {} : { ttlSeconds: wish.ttlSeconds }),
    ...(wish.context === undefined ? {} : { context: wish.context }),
    now: now(),
  })
  const share = await generateShare(allowed(agent.keyExchange, KEY_EXCHANGES, server))
  const m9a = await h.createKeyExchange({
    client,
    audience,
    handshakeHash,
    scopeRequestHash: await hash(m5),
    share,
    cipherSuite: server.capabilities.includes(agent.cipherSuite) ? agent.cipherSuite : 'AES-256-GCM',
    now: now(),
  })
  tell.sent('m5', m5)
  tell.sent('m9a', m9a)
  return { m5, m9a, share }
}

/** The one that is preferred where m2 lists it, the mandatory one otherwise (ATH-2.2). */
function allowed(
  preferred: KeyExchangeAlgorithm,
  [mandatory = 'ECDH-P256']: readonly KeyExchangeAlgorithm[],
  { capabilities }: h.HandshakeResponse,
): KeyExchangeAlgorithm {
  return capabilities.includes(preferred) ? preferred : mandatory
}

function audienceOf(credential: string | JsonObject): readonly string[] {
  const { aud } = h.claimsOf(credential)
  if (typeof aud === 'string') return [aud]
  return Array.isArray(aud) ? aud.filter((name): name is string => typeof name === 'string') : []
}

const userOf = (credential: string | JsonObject): string => {
  const { iss, user_did } = h.claimsOf(credential)
  return String(user_did ?? iss)
}

/** A server that grants what the user never authorized is not one to talk to (ATH-6.4.1). */
function checkWithinCredential(m8: h.ScopeResult, credential: string | JsonObject): void {
  const { scopes } = h.claimsOf(credential)
  if (Array.isArray(scopes) && m8.scopes_granted.every((scope) => scopes.includes(scope))) return
  throw refuse('malformed_message', 'scopes were granted beyond the credential', {
    rule: 'ATH-6.4.1',
    step: 'm8',
  })
}
