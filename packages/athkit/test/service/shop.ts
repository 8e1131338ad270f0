import { generateShare } from '../../src/crypto/ecdh.ts'
import { hash } from '../../src/crypto/jcs.ts'
import type { Json, JsonObject } from '../../src/crypto/json.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import { randomBytes, randomId } from '../../src/crypto/random.ts'
import { didFromKey } from '../../src/did/did.ts'
import * as h from '../../src/handshake/index.ts'
import { createHandler } from '../../src/http/index.ts'
import { createWalletToken } from '../../src/messages/wallet-token.ts'
import { atMost, createService, type ServiceEvent } from '../../src/service/index.ts'
import type { ServiceOptions } from '../../src/service/options.ts'
import { memory } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'

/** Unix seconds at which every test begins. */
export const NOW = 1_717_200_000
export const ORIGIN = 'https://shop.example'
export const HANDSHAKE = '/ath/handshake'

export async function party(alg: 'ES256' | 'EdDSA' = 'ES256'): Promise<h.Identity> {
  const signer = await generateSigner(alg)
  return { did: didFromKey(signer.publicKey), signer }
}

export interface Answered {
  readonly status: number
  readonly body: JsonObject & { readonly [index: number]: JsonObject }
  readonly headers: Headers
}

export interface CallOptions {
  readonly headers?: Record<string, string>
  readonly address?: string
  readonly signal?: AbortSignal
}

/** A shop under a clock of the test's own, reached through its HTTP handler. */
export async function shop(more: Partial<ServiceOptions> = {}, shared: { store?: Store } = {}) {
  const [server, user, agent] = await Promise.all([party(), party(), party()])
  return open({ server, user, agent, store: shared.store ?? memory(), clock: { now: NOW } }, more)
}

export interface World {
  readonly server: h.Identity
  readonly user: h.Identity
  readonly agent: h.Identity
  readonly store: Store
  readonly clock: { now: number }
}

/** One node; another one of the same world shares its store, its clock and its parties. */
export function open(world: World, more: Partial<ServiceOptions> = {}) {
  const events: ServiceEvent[] = []
  const service = createService({
    identity: world.server,
    origin: ORIGIN,
    name: 'Shop',
    scopes: {
      'goods:read': 'Search products',
      'order:create': 'Place orders',
      'user:profile': 'Read your profile',
    },
    users: { find: (did) => (did === world.user.did ? { account: 'account-1' } : undefined) },
    store: world.store,
    restrictions: { rate_limit: '100/minute', order_amount_limit: 5000 },
    enforcers: new Map([['order_amount_limit', atMost]]),
    limits: { exempt: () => true },
    onEvent: (event) => void events.push(event),
    clock: () => world.clock.now * 1000,
    ...more,
  })
  const handler = createHandler(service)

  async function raw(method: string, path: string, body?: BodyInit | null, options: CallOptions = {}) {
    const request = new Request(`https://anything.invalid${path}`, {
      method,
      body: body ?? null,
      headers: options.headers ?? {},
      signal: options.signal ?? null,
    })
    const response = await handler(request, { address: options.address ?? '192.0.2.1' })
    if (response === undefined) throw new Error(`${path} is none of ATH's`)
    return response
  }

  async function call(
    method: string,
    path: string,
    body?: Json,
    options: CallOptions = {},
  ): Promise<Answered> {
    const headers = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    }
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
    const response = await raw(method, path, text, { ...options, headers })
    const answer = await response.text()
    return {
      status: response.status,
      body: answer === '' ? {} : JSON.parse(answer),
      headers: response.headers,
    }
  }

  return { ...world, service, handler, events, raw, call, wallet: walletOf(world, call) }
}

export type Shop = ReturnType<typeof open>

function walletOf(
  world: World,
  call: (method: string, path: string, body?: Json, options?: CallOptions) => Promise<Answered>,
) {
  const token = (more: Partial<Parameters<typeof createWalletToken>[0]> = {}) =>
    createWalletToken({
      user: world.user,
      audience: ORIGIN,
      now: world.clock.now,
      jti: randomId(),
      ...more,
    })
  const bearer = async () => ({ authorization: `Bearer ${await token()}` })
  return {
    token,
    bearer,
    pending: async () => {
      const { body } = await call('GET', '/ath/inbox', undefined, { headers: await bearer() })
      return body.pending as unknown as readonly h.ConfirmationRequest[]
    },
    /** m7 to a question, signed by the user. */
    respond: (request: h.ConfirmationRequest, more: Partial<h.ConfirmationResponseOptions> = {}) =>
      h.createConfirmationResponse({
        user: world.user,
        request,
        approved: true,
        now: world.clock.now,
        ...more,
      }),
    post: (request: h.ConfirmationRequest, message: Json) =>
      call('POST', `/ath/confirmations/${request.request_id}`, message),
  }
}

/** An agent's side of one handshake, step by step, so that a test can send anything else instead. */
export async function agentOf(at: Shop, more: { audience?: string; agent?: h.Identity } = {}) {
  const client = more.agent ?? at.agent
  const audience = more.audience ?? ORIGIN
  const now = () => at.clock.now
  const share = await generateShare('ECDH-P256')
  const m1 = await h.createHandshakeRequest({ client, audience, now: now(), random: randomBytes(16) })
  const begun = await at.call('POST', HANDSHAKE, m1)
  if (begun.status !== 201) throw new Error(`m1: ${JSON.stringify(begun.body)}`)
  const url = begun.headers.get('location') ?? ''
  const m2 = begun.body as unknown as h.HandshakeResponse
  const m3 = await h.createIdentityProof({ client, response: m2, now: now() })
  const hs = await h.handshakeHash(m1, m2, m3)

  const credential = (edit: Partial<h.UserAuthorizationOptions> = {}) =>
    h.createUserAuthorization(at.user, {
      clientDid: client.did,
      scopes: ['goods:read', 'order:create'],
      issuedAt: now() - 60,
      expiresAt: now() + 7200,
      jti: randomId(),
      audience: [at.server.did, ORIGIN],
      ...edit,
    })
  const m5 = async (edit: Partial<h.ScopeRequestOptions> = {}) =>
    h.createScopeRequest({
      client,
      audience,
      handshakeHash: hs,
      scopes: ['goods:read', 'order:create'],
      ttlSeconds: 3600,
      credential: edit.credential ?? (await credential()),
      context: 'Find a phone',
      now: now(),
      ...edit,
    })
  const m9a = async (request: JsonObject, edit: Partial<h.KeyExchangeOptions> = {}) =>
    h.createKeyExchange({
      client,
      audience,
      handshakeHash: hs,
      scopeRequestHash: await hash(request),
      share,
      cipherSuite: 'AES-256-GCM',
      now: now(),
      ...edit,
    })
  return {
    client,
    url,
    m1,
    m2,
    m3,
    hs,
    share,
    credential,
    m5,
    m9a,
    post: (body: Json, options?: CallOptions) => at.call('POST', url, body, options),
    get: (wait?: number, options: CallOptions = {}) =>
      at.call('GET', url, undefined, {
        ...options,
        headers: { ...(wait === undefined ? {} : { prefer: `wait=${wait}` }), ...options.headers },
      }),
  }
}

export type Agent = Awaited<ReturnType<typeof agentOf>>

/** What a service that asks nobody is told. */
export const ASK_NOBODY: Partial<ServiceOptions> = {
  scopes: {
    'goods:read': { description: 'Search products', skipUserConfirmation: true },
    'order:create': { description: 'Place orders', skipUserConfirmation: true },
    'user:profile': { description: 'Read your profile', skipUserConfirmation: true },
  },
}
