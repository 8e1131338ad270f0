/**
 * Step 0 · the user authorizes the agent (ATH-6.2.1).
 *
 * The user signs a credential: this agent may do these things, within these limits, until then. It comes as a JWT, or as the JSON
 * object of the source documents; both say the same and are judged by the same checks.
 */
import * as v from 'valibot'
import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { type DecodedJwt, decodeJwt, signJwt, verifyDecodedJwt } from '../crypto/jws.ts'
import type { PublicKey } from '../crypto/keys.ts'
import { signLabelled, verifyLabelled } from '../crypto/signature.ts'
import { type DidDocument, keysOf } from '../did/document.ts'
import { HandshakeError, refuse } from '../errors.ts'
import { type Identity, isObject, object, optional, scopes, time, without } from './shape.ts'

export const AUTHORIZATION_TYP = 'ath-authorization+jwt'
export const AUTHORIZATION_LABEL = 'user_authorization'

export interface UserAuthorizationOptions {
  readonly clientDid: string
  readonly scopes: readonly string[]
  /** Unix seconds. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** Names the credential among the user's own; random, unless a caller has a name for it. */
  readonly jti: string
  /** Server DIDs and origins at which the credential may be used; everywhere without it. */
  readonly audience?: string | readonly string[]
  /** The user's own limits; the service applies the stricter of its own and these (ATH-6.4.3). */
  readonly restrictions?: JsonObject
  /** How many handshakes the credential is good for at one service. */
  readonly maxUses?: number
  readonly form?: 'jwt' | 'json'
}

/** The credential, signed by the user: a JWT, or with `form: 'json'` the source documents' object. */
export async function createUserAuthorization(
  user: Identity,
  options: UserAuthorizationOptions,
): Promise<string | JsonObject> {
  const claims: JsonObject = {
    iss: user.did,
    user_did: user.did,
    client_did: options.clientDid,
    scopes: [...options.scopes],
    iat: options.issuedAt,
    exp: options.expiresAt,
    expires_at: options.expiresAt,
    jti: options.jti,
    ...(options.audience === undefined ? {} : { aud: listOrOne(options.audience) }),
    ...(options.restrictions === undefined ? {} : { restrictions: options.restrictions }),
    ...(options.maxUses === undefined ? {} : { max_uses: options.maxUses }),
  }
  if (options.form !== 'json') return signJwt(user.signer, AUTHORIZATION_TYP, claims)
  return { ...claims, signature: await signLabelled(user.signer, AUTHORIZATION_LABEL, claims) }
}

/**
 * The claims of a credential as they stand, unverified: enough for an agent to know what it holds and whom it names.
 *
 * @throws HandshakeError `malformed_message` when it is neither a JWT nor an object
 */
export const claimsOf = (credential: Json): JsonObject => decode(credential).claims

/** A credential in either form, taken apart and unverified. */
type Decoded =
  | { readonly claims: JsonObject; readonly jwt: DecodedJwt }
  | { readonly claims: JsonObject; readonly signature: Json }

function decode(credential: Json): Decoded {
  if (isObject(credential)) {
    return { claims: without(credential, 'signature'), signature: credential.signature }
  }
  const jwt = decodeJwt(credential)
  return { claims: jwt.claims, jwt }
}

/** `credential_id` (ATH-6.2.1): by it a credential is counted and revoked. */
export async function credentialId(claims: JsonObject): Promise<string> {
  const userDid = claims.user_did ?? claims.iss
  const jti = claims.jti ?? undefined
  return jti === undefined || userDid === undefined ? hash(claims) : hash([userDid, jti])
}

const listOrOne = (audience: string | readonly string[]): Json =>
  typeof audience === 'string' ? audience : [...audience]

/** What the service knows, and asks its store, while it judges a credential. */
export interface CredentialContext {
  /** Unix seconds. */
  readonly now: number
  /** The client that has proven itself in m3. */
  readonly clientDid: string
  /** The service's own DID and origins, any of which an `aud` may name. */
  readonly serverNames: readonly string[]
  /** The user's current document, undefined when the DID is not enrolled here (ATH-4.7): it is not resolved then. */
  enrolled(userDid: string): Promise<DidDocument | undefined>
  revoked(userDid: string, credentialId: string): Promise<boolean>
  /** Uses counted or reserved so far at this service. */
  uses(userDid: string, credentialId: string, clientDid: string): Promise<number>
}

export interface VerifiedCredential {
  readonly credentialId: string
  readonly userDid: string
  readonly scopes: readonly string[]
  /** Unix seconds. */
  readonly expiresAt: number
  readonly issuedAt: number | undefined
  /** undefined: not bound to any service. */
  readonly audience: readonly string[] | undefined
  readonly restrictions: JsonObject
  readonly maxUses: number | undefined
  /** The key it was signed with; a renewal asks whether it is still the user's (ATH-7.10). */
  readonly key: PublicKey
}

/**
 * The checks of ATH-6.2.3 on the credential, in their order: the enrolled user's signature, expiry, the client it names, the
 * audience, revocation, uses. The client's own signature over m5 comes after them, in step 5.
 *
 * @throws HandshakeError `credential_expired`, `credential_revoked`, or `credential_invalid` for everything else
 */
export async function verifyUserAuthorization(
  credential: Json,
  context: CredentialContext,
): Promise<VerifiedCredential> {
  const decoded = decodedOrInvalid(credential)
  const claims = checkClaims(decoded)
  const userDid = claims.iss ?? claims.user_did ?? ''
  const document = await context.enrolled(userDid)
  if (document === undefined) throw invalid('the user is not enrolled', 'ATH-4.7')
  const key = await signedBy(decoded, await keysOf(document, 'assertionMethod'), context.now)

  const expiresAt = claims.exp ?? claims.expires_at ?? 0
  if (expiresAt <= context.now)
    throw refuse('credential_expired', 'the credential has ended', { rule: 'ATH-6.2.3', step: 'm5' })
  if (claims.client_did !== context.clientDid) throw invalid('the credential names another client')
  const audience = audienceOf(claims.aud)
  if (audience !== undefined && !audience.some((name) => context.serverNames.includes(name))) {
    throw invalid('the credential is for another service')
  }
  const id = await credentialId(claims)
  if (await context.revoked(userDid, id)) {
    throw refuse('credential_revoked', 'the user has revoked the credential', {
      rule: 'ATH-6.2.3',
      step: 'm5',
    })
  }
  const maxUses = claims.max_uses ?? undefined
  if (maxUses !== undefined && (await context.uses(userDid, id, context.clientDid)) >= maxUses) {
    throw invalid('the credential is used up')
  }
  return {
    credentialId: id,
    userDid,
    scopes: claims.scopes,
    expiresAt,
    issuedAt: claims.iat ?? undefined,
    audience,
    restrictions: claims.restrictions ?? {},
    maxUses,
    key,
  }
}

const common = {
  client_did: v.string(),
  scopes,
  aud: optional(v.union([v.string(), v.array(v.string())])),
  restrictions: optional(object),
  max_uses: optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
}
const jwtClaims = v.object({
  ...common,
  iss: v.string(),
  user_did: optional(v.string()),
  iat: time,
  exp: time,
  expires_at: optional(time),
  jti: v.string(),
})
const objectClaims = v.object({
  ...common,
  iss: optional(v.string()),
  user_did: v.string(),
  iat: optional(time),
  exp: optional(time),
  expires_at: time,
  jti: optional(v.string()),
})

export type UserAuthorizationClaims = (v.InferOutput<typeof jwtClaims> | v.InferOutput<typeof objectClaims>) &
  JsonObject

const IAT_AHEAD_SECONDS = 300

/**
 * A credential's members, unverified; their form, and that twins agree (ATH-6.2.1).
 *
 * @throws HandshakeError `credential_invalid`
 */
export const readUserAuthorization = (credential: Json): UserAuthorizationClaims =>
  checkClaims(decodedOrInvalid(credential))

function checkClaims(decoded: Decoded): UserAuthorizationClaims {
  const { claims } = decoded
  const schema = 'jwt' in decoded ? jwtClaims : objectClaims
  if (!v.is(schema, claims)) throw invalid('a member is missing or not as it must be', 'ATH-6.2.1')
  const read = claims as UserAuthorizationClaims
  const twins: readonly (readonly [unknown, unknown])[] = [
    [read.iss, read.user_did],
    [read.exp, read.expires_at],
  ]
  for (const [one, other] of twins) {
    if ((one ?? other) !== (other ?? one)) throw invalid('twin members differ', 'ATH-6.2.1')
  }
  return read
}

function decodedOrInvalid(credential: Json): Decoded {
  try {
    return decode(credential)
  } catch (error) {
    if (error instanceof HandshakeError) throw invalid(error.reason, 'ATH-5.3')
    throw error
  }
}

/** Which of the keys signed it. A key or a key id inside the credential is never a reason to trust it (ATH-4.7). */
async function signedBy(decoded: Decoded, keys: readonly PublicKey[], now: number): Promise<PublicKey> {
  if ('jwt' in decoded) {
    // Expiry is judged after the signature, under its own name.
    const verified = await verifyDecodedJwt(decoded.jwt, {
      typ: AUTHORIZATION_TYP,
      keys,
      now,
      refuseAs: 'credential_invalid',
      expiredAs: 'credential_expired',
    })
    return verified.key
  }
  const { claims, signature } = decoded
  const issuedAt = claims.iat
  if (typeof issuedAt === 'number' && issuedAt > now + IAT_AHEAD_SECONDS)
    throw invalid('issued in the future', 'ATH-5.3')
  for (const key of keys) {
    if (await verifies(key, claims, signature)) return key
  }
  throw invalid('no key of the user signed the credential')
}

async function verifies(key: PublicKey, claims: JsonObject, signature: Json | undefined): Promise<boolean> {
  try {
    await verifyLabelled(key, AUTHORIZATION_LABEL, claims, signature)
    return true
  } catch (error) {
    if (error instanceof HandshakeError) return false
    throw error
  }
}

const audienceOf = (aud: string | string[] | null | undefined): readonly string[] | undefined =>
  aud === undefined || aud === null ? undefined : typeof aud === 'string' ? [aud] : aud

const invalid = (reason: string, rule = 'ATH-6.2.3') =>
  refuse('credential_invalid', reason, { rule, step: 'm5' })
