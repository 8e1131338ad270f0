import type { Json, JsonObject } from '../crypto/json.ts'
import { type DecodedJwt, decodeJwt, verifyJwt } from '../crypto/jws.ts'
import { HandshakeError, refuse } from '../errors.ts'
import { type DidDocument, keysOf } from './document.ts'

/** Third-party credentials of m3 (ATH-6.1.6): JWTs of VC Data Model 2.0. */
export interface CredentialExpectation {
  /** Documents of the issuers that the operator trusts, by DID. */
  readonly issuers: ReadonlyMap<string, DidDocument>
  /** The types that count here. */
  readonly types: readonly string[]
  readonly clientDid: string
  /** Unix seconds. */
  readonly now: number
}

const TYP = 'vc+jwt'

/**
 * @returns the claims of a credential that counts; undefined for what is no `vc+jwt` of a configured type, which is ignored
 * @throws HandshakeError `credential_invalid` for one that is, and fails
 */
export async function verifyClientCredential(
  credential: Json,
  { issuers, types, clientDid, now }: CredentialExpectation,
): Promise<JsonObject | undefined> {
  const decoded = decode(credential)
  if (decoded?.header.typ !== TYP) return undefined
  const { claims } = decoded
  if (![claims.type ?? []].flat().some((type) => typeof type === 'string' && types.includes(type)))
    return undefined

  const issuer = typeof claims.issuer === 'string' ? claims.issuer : memberOf(claims.issuer, 'id')
  const document = typeof issuer === 'string' ? issuers.get(issuer) : undefined
  if (document === undefined) throw invalid('its issuer is not trusted')
  const keys = await keysOf(document, 'assertionMethod')
  await verifyJwt(credential, { typ: TYP, keys, now, refuseAs: 'credential_invalid' })
  if (memberOf(claims.credentialSubject, 'id') !== clientDid) throw invalid('its subject is another')
  if (startOf(claims) > now || (dateOf(claims.validUntil) ?? Number.POSITIVE_INFINITY) <= now) {
    throw invalid('it is not valid at present')
  }
  return claims
}

function startOf({ nbf, validFrom }: JsonObject): number {
  const notBefore = nbf ?? Number.NEGATIVE_INFINITY
  if (typeof notBefore !== 'number') throw invalid('nbf is no time')
  return Math.max(notBefore, dateOf(validFrom) ?? Number.NEGATIVE_INFINITY)
}

/** RFC 3339 with a zone, as `dateTimeStamp` asks. */
const DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/

function dateOf(value: Json): number | undefined {
  if (value === undefined || value === null) return undefined
  const milliseconds = typeof value === 'string' && DATE.test(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(milliseconds)) throw invalid('a date without a zone, or none')
  return milliseconds / 1000
}

function decode(credential: Json): DecodedJwt | undefined {
  try {
    return decodeJwt(credential)
  } catch (error) {
    if (error instanceof HandshakeError) return undefined
    throw error
  }
}

const memberOf = (value: Json, name: string): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)[name]
    : undefined

const invalid = (reason: string) =>
  refuse('credential_invalid', `VC: ${reason}`, { rule: 'ATH-6.1.6', step: 'm3' })
