import { type ErrorName, HandshakeError, refuse } from '../errors.ts'
import { decodeBase64url, toBase64url, utf8 } from './bytes.ts'
import { canonicalize } from './jcs.ts'
import { type JsonObject, parseMessage } from './json.ts'
import type { PublicKey, Signer } from './keys.ts'
import { verifyBytes } from './signature.ts'

/**
 * JWS compact serialization (RFC 7515) as ATH-5.3 allows it, and nothing more: the algorithm is fixed by the key, the headers that
 * would bring a key or other rules along are refused, and so is all that a lenient parser would let pass (duplicate members,
 * padding, trailing bits). It signs through {@link Signer}, so that the key may be in a KMS.
 */
export interface DecodedJwt {
  readonly header: JsonObject
  readonly claims: JsonObject
  /** What the signature covers: the first two parts. */
  readonly signingInput: string
  readonly signature: Uint8Array
}

/** A JWT of this type, claims as they are given. `kid` is always sent: the key's thumbprint. */
export async function signJwt(signer: Signer, typ: string, claims: JsonObject): Promise<string> {
  const input = `${headerOf(signer.publicKey, typ)}.${part(claims)}`
  return `${input}.${toBase64url(await signer.sign(utf8(input)))}`
}

const headers = new WeakMap<PublicKey, Map<string, string>>()

/** The same for every JWT of a key and a type. */
function headerOf(key: PublicKey, typ: string): string {
  const known = headers.get(key)?.get(typ)
  if (known !== undefined) return known
  const header = part({ alg: key.alg, kid: key.thumbprint, typ })
  headers.set(key, new Map(headers.get(key)).set(typ, header))
  return header
}

const part = (object: JsonObject): string => toBase64url(utf8(canonicalize(object)))

/** ATH-2.3. */
export const REFUSED_HEADERS = ['crit', 'b64', 'jku', 'jwk', 'x5u', 'x5c']

/** The parts of any JWS, the payload as bytes. */
export interface DecodedJws {
  readonly header: JsonObject
  readonly payload: Uint8Array
  readonly signingInput: string
  readonly signature: Uint8Array
}

/**
 * The parts of a JWS in compact form, unverified.
 *
 * @throws HandshakeError `malformed_message`
 */
export function decodeJws(token: unknown): DecodedJws {
  const [head, body, tail, ...more] = typeof token === 'string' ? token.split('.') : []
  if (head === undefined || body === undefined || tail === undefined || more.length > 0) {
    throw malformed('not three parts')
  }
  const [headBytes, payload, signature] = [head, body, tail].map(decodeBase64url)
  if (headBytes === undefined || payload === undefined || signature === undefined) {
    throw malformed('a part is not base64url')
  }
  const header = parseMessage(headBytes)
  return { header, payload, signingInput: `${head}.${body}`, signature }
}

/**
 * The parts of a JWT, unverified.
 *
 * @throws HandshakeError `malformed_message`
 */
export function decodeJwt(token: unknown): DecodedJwt {
  const { header, payload, signingInput, signature } = decodeJws(token)
  return { header, claims: parseMessage(payload), signingInput, signature }
}

/**
 * Which of the keys signed it: the algorithm is the key's, and a `kid`, where there is one, its thumbprint (ATH-5.3). None did where
 * a header stands in it that ATH-2.3 refuses.
 */
export async function signerOfJws(
  { header, signingInput, signature }: Omit<DecodedJws, 'payload'>,
  keys: readonly PublicKey[],
): Promise<PublicKey | undefined> {
  if (REFUSED_HEADERS.some((name) => Object.hasOwn(header, name))) return undefined
  const kid = header.kid ?? undefined
  for (const key of keys) {
    if (header.alg !== key.alg || (kid !== undefined && kid !== key.thumbprint)) continue
    if (await verifyBytes(key, signingInput, signature)) return key
  }
  return undefined
}

export interface JwtExpectation {
  readonly typ: string
  /** Any of which may have signed. */
  readonly keys: readonly PublicKey[]
  /** Unix seconds. */
  readonly now: number
  /** The name of every refusal. */
  readonly refuseAs: ErrorName
  /** The name of the refusal of an expired one, where it has its own. */
  readonly expiredAs?: ErrorName
  /** The rule that is broken, where it is one about this kind of JWT; ATH-5.3. */
  readonly rule?: string
}

export interface VerifiedJwt {
  readonly header: JsonObject
  readonly claims: JsonObject
  /** The one that signed. */
  readonly key: PublicKey
}

const IAT_AHEAD_SECONDS = 300

/**
 * Header, signature, then times: `iat` at most 300 s ahead, expired when `exp` ≤ now, each judged where it is present (ATH-5.3).
 *
 * @throws HandshakeError by the name of `refuseAs`, or of `expiredAs`
 */
export async function verifyJwt(token: unknown, expected: JwtExpectation): Promise<VerifiedJwt> {
  const { refuseAs, rule = 'ATH-5.3' } = expected
  const refused = (reason: string) => refuse(refuseAs, `JWT: ${reason}`, { rule })
  return verifyDecodedJwt(decodeOr(token, refused), expected)
}

/** {@link verifyJwt}, of one whose parts were taken apart before. */
export async function verifyDecodedJwt(decoded: DecodedJwt, expected: JwtExpectation): Promise<VerifiedJwt> {
  const { typ, now, refuseAs, expiredAs = refuseAs, rule = 'ATH-5.3' } = expected
  const refused = (reason: string, name = refuseAs) => refuse(name, `JWT: ${reason}`, { rule })
  const { header, claims } = decoded

  if (header.typ !== typ) throw refused('of another type')
  const key = await signerOfJws(decoded, expected.keys)
  if (key === undefined) throw refused('no expected key signed it')

  const { iat, exp } = claims
  if (iat !== undefined && iat !== null) {
    if (typeof iat !== 'number') throw refused('iat is no time')
    if (iat > now + IAT_AHEAD_SECONDS) throw refused('issued in the future')
  }
  if (exp !== undefined && exp !== null) {
    if (typeof exp !== 'number') throw refused('exp is no time')
    if (exp <= now) throw refused('expired', expiredAs)
  }
  return { header, claims, key }
}

function decodeOr(token: unknown, refused: (reason: string) => HandshakeError): DecodedJwt {
  try {
    return decodeJwt(token)
  } catch (error) {
    if (error instanceof HandshakeError) throw refused(error.reason)
    throw error
  }
}

const malformed = (reason: string) => refuse('malformed_message', `JWT: ${reason}`, { rule: 'ATH-5.3' })
