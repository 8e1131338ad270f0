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

export const VC_TYP = 'vc+jwt'

/**
 * @returns the claims of a credential that counts; undefined for what is no `vc+jwt` of a configured type, which is ignored
 * @throws HandshakeError `credential_invalid` for one that is, and fails
 */
export async function verifyClientCredential(
  credential: Json,
  { issuers, types, clientDid, now }: CredentialExpectation,
): Promise<JsonObject | undefined> {
  const claims = claimsThatCount(credential, types)
  if (claims === undefined) return undefined

  const document = issuers.get(issuerOf(claims) ?? '')
  if (document === undefined) throw invalid('its issuer is not trusted')
  const keys = await keysOf(document, 'assertionMethod')
  await verifyJwt(credential, { typ: VC_TYP, keys, now, refuseAs: 'credential_invalid' })
  if (memberOf(claims.credentialSubject, 'id') !== clientDid) throw invalid('its subject is another')
  checkValidity(claims, now)
  return claims
}

/** What a credential says, unverified; undefined for what is no `vc+jwt` of one of the types, which is ignored. */
export function claimsThatCount(credential: Json, types: readonly string[]): JsonObject | undefined {
  const decoded = decode(credential)
  if (decoded?.header.typ !== VC_TYP) return undefined
  return typesOf(decoded.claims).some((type) => types.includes(type)) ? decoded.claims : undefined
}

export const typesOf = ({ type }: JsonObject): readonly string[] =>
  [type ?? []].flat().filter((one) => typeof one === 'string')

/** The DID of the issuer, written as it is or as `{id}`. */
export function issuerOf({ issuer }: JsonObject): string | undefined {
  const did = typeof issuer === 'string' ? issuer : memberOf(issuer, 'id')
  return typeof did === 'string' ? did : undefined
}

/** `validFrom`, `validUntil`, `nbf`. @throws HandshakeError `credential_invalid` */
export function checkValidity(claims: JsonObject, now: number): void {
  if (startOf(claims) > now || (dateOf(claims.validUntil) ?? Number.POSITIVE_INFINITY) <= now) {
    throw invalid('it is not valid at present')
  }
}

function startOf({ nbf, validFrom }: JsonObject): number {
  const notBefore = nbf ?? Number.NEGATIVE_INFINITY
  if (typeof notBefore !== 'number') throw invalid('nbf is no time')
  return Math.max(notBefore, dateOf(validFrom) ?? Number.NEGATIVE_INFINITY)
}

/** RFC 3339 with a zone, as `dateTimeStamp` asks. */
const DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/

export function dateOf(value: Json): number | undefined {
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

export const memberOf = (value: Json, name: string): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)[name]
    : undefined

export const invalid = (reason: string) =>
  refuse('credential_invalid', `VC: ${reason}`, { rule: 'ATH-6.1.6', step: 'm3' })
