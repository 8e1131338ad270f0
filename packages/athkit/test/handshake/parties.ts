import { generateShare } from '../../src/crypto/ecdh.ts'
import { hash } from '../../src/crypto/jcs.ts'
import type { JsonObject } from '../../src/crypto/json.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import { didFromKey } from '../../src/did/did.ts'
import { documentOfKey } from '../../src/did/document.ts'
import { createResolver } from '../../src/did/resolver.ts'
import { type ErrorName, HandshakeError } from '../../src/errors.ts'
import * as h from '../../src/handshake/index.ts'

/** Unix seconds at which every test of the handshake happens. */
export const NOW = 1_717_200_000
export const AUDIENCE = 'https://shop.example'
export const random = (fill: number): Uint8Array => new Uint8Array(16).fill(fill)

export type Party = h.Identity & { readonly did: string }

export async function party(alg: 'ES256' | 'EdDSA' = 'ES256'): Promise<Party> {
  const signer = await generateSigner(alg)
  return { did: didFromKey(signer.publicKey), signer }
}

export const documentOf = (of: Party) => documentOfKey(of.did, of.signer.publicKey)

export interface Parties {
  readonly client: Party
  readonly server: Party
  readonly user: Party
}

export const parties = async (): Promise<Parties> => ({
  client: await party(),
  server: await party(),
  user: await party(),
})

export const resolver = createResolver({ now: () => NOW })

/** The credential of the seeds' shop: two scopes, two hours, this server. */
export const authorization = (of: Parties, more: Partial<h.UserAuthorizationOptions> = {}) =>
  h.createUserAuthorization(of.user, {
    clientDid: of.client.did,
    scopes: ['goods:read', 'order:create'],
    issuedAt: NOW - 60,
    expiresAt: NOW + 7200,
    jti: 'credential-1',
    audience: [of.server.did, AUDIENCE],
    ...more,
  })

/** A service that knows the one user and has counted nothing. */
export const credentialContext = (
  of: Parties,
  more: Partial<h.CredentialContext> = {},
): h.CredentialContext => ({
  now: NOW,
  clientDid: of.client.did,
  serverNames: [of.server.did, AUDIENCE],
  enrolled: async (did) => (did === of.user.did ? documentOf(of.user) : undefined),
  revoked: async () => false,
  uses: async () => 0,
  ...more,
})

/** Every message of one handshake that nobody had to be asked for, made by both ends' own functions. */
export async function wholeHandshake(of: Parties) {
  const m1 = await h.createHandshakeRequest({
    client: of.client,
    audience: AUDIENCE,
    now: NOW,
    random: random(1),
  })
  const negotiated = h.negotiate(m1, {
    keys: [of.client.signer.publicKey.alg, of.server.signer.publicKey.alg],
  })
  const m2 = await h.createHandshakeResponse({
    server: of.server,
    request: m1,
    audience: AUDIENCE,
    negotiated,
    now: NOW,
    random: random(2),
  })
  const m3 = await h.createIdentityProof({ client: of.client, response: m2, now: NOW })
  const metadata: h.ServiceMetadata = {
    scopesSupported: ['goods:read', 'order:create', 'user:profile'],
    tokenMaxTtl: 7200,
    requireUserConfirmation: false,
  }
  const m4 = h.createIdentityResult(metadata, NOW)
  const handshakeHash = await h.handshakeHash(m1, m2, m3)
  const credential = await authorization(of)
  const m5 = await h.createScopeRequest({
    client: of.client,
    audience: AUDIENCE,
    handshakeHash,
    scopes: ['goods:read', 'order:create'],
    ttlSeconds: 3600,
    credential,
    context: 'Find a phone',
    now: NOW,
  })
  const decision = h.decide({
    request: { scopes: m5.scopes, ttl: m5.ttl },
    now: NOW,
    supported: metadata.scopesSupported,
    tokenMaxTtl: 7200,
    policy: { denied: [] },
    restrictions: { order_amount_limit: 5000 },
    enforced: ['order_amount_limit'],
    credential: { scopes: ['goods:read', 'order:create'], expiresAt: NOW + 7200, restrictions: {} },
  })
  const m8 = h.createScopeResult({ decision, now: NOW })
  const scopeRequestHash = await hash(m5)
  const clientShare = await generateShare('ECDH-P256')
  const m9a = await h.createKeyExchange({
    client: of.client,
    audience: AUDIENCE,
    handshakeHash,
    scopeRequestHash,
    share: clientShare,
    cipherSuite: 'AES-256-GCM',
    now: NOW,
  })
  const exchange = await h.verifyKeyExchange(m9a, {
    clientKey: of.client.signer.publicKey,
    audience: AUDIENCE,
    handshakeHash,
    scopeRequestHash,
    capabilities: m2.capabilities,
  })
  const messages: h.HandshakeMessages = { m1, m2, m3, m4, m5, m8, m9a }
  const established = await h.createHandshakeComplete({
    server: of.server,
    audience: AUDIENCE,
    userDid: of.user.did,
    messages,
    exchange,
    share: await generateShare('ECDH-P256'),
    jti: 'grant-1',
    tokenTtl: 3600,
    now: NOW,
  })
  return {
    messages,
    metadata,
    handshakeHash,
    scopeRequestHash,
    credential,
    clientShare,
    established,
    m9b: established.message,
  }
}

/** The name by which something was refused, or what it resolved to. */
export async function refusal(attempt: unknown): Promise<ErrorName | { accepted: unknown }> {
  try {
    return { accepted: await (typeof attempt === 'function' ? attempt() : attempt) }
  } catch (error) {
    if (error instanceof HandshakeError) return error.error
    throw error
  }
}

export const edited = (message: JsonObject, edit: JsonObject): JsonObject => ({ ...message, ...edit })
