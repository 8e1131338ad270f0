/** One handshake from its beginning to where the service decides, or asks the user: m1 to m5 and m9a. */
import { type Attempts, again, call, discover, jsonBytes } from '../client/index.ts'
import { type CipherSuite, KEY_EXCHANGES, type KeyExchangeAlgorithm } from '../crypto/algorithms.ts'
import { type EphemeralShare, generateKeptShare, generateShare } from '../crypto/ecdh.ts'
import { hash } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import { randomBytes } from '../crypto/random.ts'
import * as h from '../handshake/index.ts'
import { resolveLocation } from '../messages/index.ts'
import type { AgentContext } from './context.ts'
import type { Narrator } from './events.ts'
import { type Line, sendFlight } from './flight.ts'
import type { Wish } from './from-vault.ts'
import { verifyServer } from './verify-server.ts'

/** A handshake whose m9a is on its way: only the decision, m8, and m9b are still to come. */
export interface Begun {
  readonly audience: string
  readonly sessionEndpoint: string
  /** The handshake's own. */
  readonly url: string
  readonly anchored: h.Anchor
  readonly metadata: h.ServiceMetadata
  readonly messages: Omit<h.HandshakeMessages, 'm5' | 'm8'> & { readonly m5: h.ScopeRequest }
  readonly share: EphemeralShare
  /** Of the share, 32 bytes; where it may have to outlive this process. */
  readonly scalar: Uint8Array | undefined
}

export async function begin(
  agent: AgentContext,
  origin: string,
  wish: Wish,
  { attempts, tell }: { readonly attempts: Attempts; readonly tell: Narrator },
): Promise<{ readonly begun: Begun; readonly line: Line; readonly answers: readonly JsonObject[] }> {
  const { identity: client, now } = agent
  const { signal } = attempts
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
    const request = {
      url: endpoints.handshake_endpoint,
      method: 'POST',
      body: jsonBytes(m1),
      signal,
    } as const
    const answer = await call(agent.transport, request)
    const url = resolveLocation(answer.headers.get('location'), endpoints.handshake_endpoint)
    return { m1, m2: answer.body, url }
  })
  const server = await verifyServer(agent, wish, { message: m2, request: m1, audience, tell })
  const line: Line = { transport: agent.transport, url, attempts }
  // Nothing is signed for a caller who has given up.
  signal?.throwIfAborted()

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
  const { m5, m9a, share, scalar } = early ?? (await ask(agent, wish, asked, chosen, tell))
  const answers = early === undefined ? await sendFlight(line, [m5, m9a]) : first.slice(1)
  const messages = { m1, m2: server.response, m3, m4, m5, m9a }
  const { session_endpoint: sessionEndpoint } = endpoints
  const { anchored } = server
  const begun = { audience, sessionEndpoint, url, anchored, metadata, messages, share, scalar }
  return { begun, line, answers }
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
  wish.signal?.throwIfAborted()
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
  wish.signal?.throwIfAborted()
  const { share, scalar } = await shareFor(agent, allowed(agent.keyExchange, KEY_EXCHANGES, server))
  const m9a = await h.createKeyExchange({
    client,
    audience,
    handshakeHash,
    scopeRequestHash: await hash(m5),
    share,
    cipherSuite: cipherOf(agent, server),
    now: now(),
  })
  tell.sent('m5', m5)
  tell.sent('m9a', m9a)
  return { m5, m9a, share, scalar }
}

/** With a vault, a share that can be put there while the user decides; without one, its key stays in the platform. */
async function shareFor({ vault }: AgentContext, alg: KeyExchangeAlgorithm) {
  if (vault === undefined) return { share: await generateShare(alg), scalar: undefined }
  return generateKeptShare(alg)
}

/** The one that is preferred where m2 lists it, the mandatory one otherwise (ATH-2.2). */
function allowed(
  preferred: KeyExchangeAlgorithm,
  [mandatory = 'ECDH-P256']: readonly KeyExchangeAlgorithm[],
  { capabilities }: h.HandshakeResponse,
): KeyExchangeAlgorithm {
  return capabilities.includes(preferred) ? preferred : mandatory
}

const cipherOf = ({ cipherSuite }: AgentContext, { capabilities }: h.HandshakeResponse): CipherSuite =>
  capabilities.includes(cipherSuite) ? cipherSuite : 'AES-256-GCM'
