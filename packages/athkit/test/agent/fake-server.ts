import type { Fetch } from '../../src/client/index.ts'
import { generateShare } from '../../src/crypto/ecdh.ts'
import { hash } from '../../src/crypto/jcs.ts'
import type { Json, JsonObject } from '../../src/crypto/json.ts'
import { randomBytes, randomId } from '../../src/crypto/random.ts'
import { HandshakeError, refuse } from '../../src/errors.ts'
import * as h from '../../src/handshake/index.ts'
import { createAuthorizationPending, createDiscoveryDocument } from '../../src/messages/index.ts'
import { createFakeSession, type FakeSession, type SessionHooks } from './fake-session.ts'

export const ORIGIN = 'https://shop.example'

/** What a test makes the server do otherwise; each gets what would be sent, and says what is. */
export interface Hooks extends SessionHooks {
  readonly discovery?: (document: JsonObject) => Json
  readonly m2?: (m2: h.HandshakeResponse, context: { m1: h.HandshakeRequest }) => Json | Promise<Json>
  readonly m2Options?: (options: h.HandshakeResponseOptions) => h.HandshakeResponseOptions
  readonly location?: string | null
  readonly m4?: (m4: JsonObject) => JsonObject
  readonly pending?: (pending: JsonObject, polls: number) => JsonObject
  readonly m8?: (m8: h.ScopeResult) => h.ScopeResult
  readonly complete?: (
    options: h.HandshakeCompleteOptions,
  ) => h.HandshakeCompleteOptions | Promise<h.HandshakeCompleteOptions>
  readonly m9b?: (m9b: h.HandshakeComplete) => JsonObject | Promise<JsonObject>
  readonly answers?: (answers: JsonObject[]) => JsonObject[]
  /** Comes before everything; undefined lets the server answer. */
  readonly intercept?: (
    request: Seen,
    answer: () => Promise<Response>,
  ) => Promise<Response> | Response | undefined
}

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: Uint8Array
  readonly signal: AbortSignal | null
}

export interface FakeOptions extends Hooks {
  /** {@link ORIGIN} without it. */
  readonly origin?: string
  /** How often the agent is told to wait before the user has answered; 0: nobody is asked. */
  readonly polls?: number
  readonly capabilities?: readonly string[]
  readonly supported?: readonly string[]
  readonly denyAll?: boolean
  readonly grantTtl?: number
  readonly tokenTtl?: number
}

interface Handshake {
  readonly m1: h.HandshakeRequest
  readonly m2: h.HandshakeResponse
  m3?: JsonObject
  m5?: JsonObject
  m9a?: JsonObject
  m4?: h.IdentityResult
  polls: number
  confirmation?: string
  requestId?: string
  readonly receipts: Map<string, { status: number; answers: JsonObject[] }>
}

export function createFake(
  given: FakeOptions & { readonly server: h.Identity; readonly clock: { now: number } },
) {
  const options = { ...given }
  const { origin: audience = ORIGIN } = given
  const { server, clock } = given
  const handshakes = new Map<string, Handshake>()
  const sessions = new Map<string, FakeSession>()
  const seen: Seen[] = []
  const now = () => clock.now

  function discovery(): Response {
    const document = createDiscoveryDocument({
      version: '0.1',
      appId: 'shop',
      name: 'Shop',
      serverDid: server.did,
      capabilities: h.CAPABILITIES,
      scopes: new Map([['goods:read', 'Search products']]),
    })
    return json(200, options.discovery?.(document) ?? document)
  }

  async function begin(body: Uint8Array): Promise<Response> {
    const message = JSON.parse(new TextDecoder().decode(body))
    const { request: m1 } = await h.receiveHandshakeRequest(message, { origins: [audience], now: now() })
    const negotiated = h.negotiate(m1, {
      ...(options.capabilities === undefined ? {} : { capabilities: options.capabilities }),
      keys: [(await h.clientKeyOf(m1)).alg, server.signer.publicKey.alg],
    })
    const given: h.HandshakeResponseOptions = {
      server,
      request: m1,
      audience,
      negotiated,
      now: now(),
      random: randomBytes(16),
    }
    const made = await h.createHandshakeResponse(options.m2Options?.(given) ?? given)
    const m2 = ((await options.m2?.(made, { m1 })) ?? made) as h.HandshakeResponse
    const id = randomId()
    handshakes.set(id, { m1, m2, polls: 0, receipts: new Map() })
    const location = options.location === undefined ? `/ath/handshake/${id}` : options.location
    return json(201, m2, location === null ? {} : { location })
  }

  async function advance(handshake: Handshake, body: Uint8Array): Promise<Response> {
    const text = new TextDecoder().decode(body)
    const known = handshake.receipts.get(text)
    if (known !== undefined) return json(known.status, known.answers)
    const flight: JsonObject[] = JSON.parse(text)
    const answers: JsonObject[] = []
    let status = 200
    for (const message of flight) {
      if (message.type === 'identity_proof') answers.push(await identity(handshake, message))
      else if (message.type === 'scope_request') handshake.m5 = message
      else handshake.m9a = message
    }
    if (handshake.m5 !== undefined && handshake.m9a !== undefined) {
      const rest = (options.polls ?? 0) > 0 ? [await ask(handshake)] : await decide(handshake)
      answers.push(...rest)
      const last = rest[0]
      if (last?.type === 'authorization_pending') status = 202
      else if (rest.length === 1) status = 403
    }
    const sent = options.answers?.(answers) ?? answers
    if (status !== 202) handshake.receipts.set(text, { status, answers: sent })
    return json(status, sent, status === 202 ? { 'retry-after': '1' } : {})
  }

  async function identity(handshake: Handshake, message: JsonObject): Promise<JsonObject> {
    const m3 = h.receiveIdentityProof(message, now())
    await h.verifyIdentityProof(m3, { clientKey: await h.clientKeyOf(handshake.m1), response: handshake.m2 })
    const metadata = {
      scopesSupported: options.supported ?? ['goods:read', 'order:create', 'user:profile'],
      tokenMaxTtl: 7200,
      requireUserConfirmation: true,
    }
    const made = h.createIdentityResult(metadata, now())
    handshake.m3 = m3
    handshake.m4 = (options.m4?.(made) ?? made) as h.IdentityResult
    return handshake.m4
  }

  async function ask(handshake: Handshake): Promise<JsonObject> {
    handshake.confirmation ??= await hash({ question: handshake.m5 })
    handshake.requestId ??= randomId('req_')
    const pending = createAuthorizationPending({
      requestId: handshake.requestId,
      confirmationRequestHash: handshake.confirmation,
      bindingCode: '42',
      expiresAt: now() + 300,
      now: now(),
    })
    return options.pending?.(pending, handshake.polls) ?? pending
  }

  async function decide(handshake: Handshake): Promise<JsonObject[]> {
    const { m1, m2, m3, m4, m5, m9a } = handshake as Required<Handshake>
    const handshakeHash = await h.handshakeHash(m1, m2, m3)
    const clientKey = await h.clientKeyOf(m1)
    // Its skew is judged when it comes, and not when the user has answered (ATH-3.6).
    const request = h.receiveScopeRequest(m5, m5.timestamp as number)
    await h.verifyScopeRequest(request, { clientKey, audience, handshakeHash })
    const decision = h.decide({
      request: { scopes: request.scopes, ttl: request.ttl },
      now: now(),
      supported: options.supported ?? ['goods:read', 'order:create', 'user:profile'],
      tokenMaxTtl: options.grantTtl ?? 7200,
      policy: { denied: options.denyAll === true ? request.scopes : [] },
      restrictions: { order_amount_limit: 5000 },
      enforced: ['order_amount_limit'],
      credential: {
        scopes: ['goods:read', 'order:create', 'user:profile'],
        expiresAt: now() + 7200,
        restrictions: {},
      },
    })
    const confirmation =
      handshake.confirmation === undefined ? undefined : { request: handshake.confirmation, response: 'H' }
    const made = h.createScopeResult({ decision, confirmation, now: now() })
    const m8 = options.m8?.(made) ?? made
    if (m8.scopes_granted.length === 0) return [m8]
    const exchange = await h.verifyKeyExchange(m9a as h.KeyExchange, {
      clientKey,
      audience,
      handshakeHash,
      scopeRequestHash: await hash(m5),
      capabilities: m2.capabilities,
    })
    const given: h.HandshakeCompleteOptions = {
      server,
      audience,
      userDid: String(h.claimsOf(request.user_authorization.credential).iss),
      messages: { m1, m2, m3, m4: m4 as h.IdentityResult, m5, m8, m9a: m9a as h.KeyExchange },
      exchange,
      share: await generateShare(exchange.alg),
      jti: randomId(),
      tokenTtl: options.tokenTtl ?? 3600,
      now: now(),
    }
    const complete = await h.createHandshakeComplete((await options.complete?.(given)) ?? given)
    const session = createFakeSession({
      server,
      clock,
      hooks: options,
      complete,
      cipher: exchange.cipherSuite,
      capabilities: m2.capabilities,
      tokenTtl: options.tokenTtl ?? 3600,
      grantEnd: h.grantEnd(m8),
    })
    sessions.set(session.sid, session)
    return [m8, (await options.m9b?.(complete.message)) ?? complete.message]
  }

  async function outcome(handshake: Handshake): Promise<Response> {
    handshake.polls++
    if (handshake.polls < (options.polls ?? 0))
      return json(202, [await ask(handshake)], { 'retry-after': '2' })
    const answers = await decide(handshake)
    return json(answers.length === 1 ? 403 : 200, options.answers?.(answers) ?? answers)
  }

  async function route({ method, path, body }: Seen): Promise<Response> {
    if (path === '/.well-known/ath-app.json') return discovery()
    if (path === '/ath/handshake') return begin(body)
    if (path === '/ath/sealed') {
      const sid = Buffer.from(body.subarray(1, 17)).toString('base64url')
      const session = sessions.get(sid)
      if (session === undefined) throw refuse('session_unknown', 'gone')
      return session.handle(body)
    }
    const handshake = handshakes.get(path.replace('/ath/handshake/', ''))
    if (handshake === undefined) throw refuse('handshake_unknown', 'gone')
    return method === 'GET' ? outcome(handshake) : advance(handshake, body)
  }

  const fetch: Fetch = async (url, init) => {
    const { pathname, origin } = new URL(url)
    if (origin !== audience) throw new TypeError(`dialled ${origin}`)
    init.signal?.throwIfAborted()
    const request: Seen = {
      method: init.method ?? 'GET',
      path: pathname,
      headers: new Headers(init.headers),
      body: new Uint8Array(await new Response(init.body ?? null).arrayBuffer()),
      signal: init.signal ?? null,
    }
    seen.push(request)
    const answer = async () => {
      try {
        return await route(request)
      } catch (error) {
        if (!(error instanceof HandshakeError)) throw error
        return refused(error, now())
      }
    }
    return (await options.intercept?.(request, answer)) ?? answer()
  }

  /** From now on. */
  const set = (more: FakeOptions): void => void Object.assign(options, more)
  return { fetch, seen, handshakes, sessions, server, set }
}

export const json = (status: number, body: Json, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })

export const refused = (error: HandshakeError, now: number): Response =>
  json(
    error.code,
    { ...error.toWire(now) },
    error.retryAfter === undefined ? {} : { 'retry-after': String(error.retryAfter) },
  )
