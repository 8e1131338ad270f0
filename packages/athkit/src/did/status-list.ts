import { decodeBase64url } from '../crypto/bytes.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { verifyJwt } from '../crypto/jws.ts'
import { isObject } from '../crypto/shape.ts'
import { AthError } from '../errors.ts'
import { readBounded } from '../net/request.ts'
import { type DidDocument, keysOf } from './document.ts'
import { checkValidity, dateOf, invalid, issuerOf, memberOf, typesOf, VC_TYP } from './vc.ts'

/** A place in a Bitstring Status List (W3C) whose bit, where it is 1, ends or suspends a credential. */
export interface StatusEntry {
  readonly purpose: string
  readonly url: string
  readonly index: number
}

const ENTRY = 'BitstringStatusListEntry'
/** The purposes that decide whether a credential holds; `refresh` and `message` do not. */
const DECIDING: readonly string[] = ['revocation', 'suspension']

/**
 * Where it stands whether a credential still holds. A status of a kind that is not known here could say that it does not: so it counts
 * as one that cannot be shown (ATH-6.1.6).
 *
 * @throws HandshakeError `credential_invalid`
 */
export function statusEntriesOf({ credentialStatus }: JsonObject): readonly StatusEntry[] {
  return ([credentialStatus ?? []].flat() as readonly Json[])
    .map(entryOf)
    .filter((entry) => entry !== undefined)
}

function entryOf(status: Json): StatusEntry | undefined {
  if (!isObject(status) || !typesOf(status).includes(ENTRY))
    throw invalid('a status of a kind not known here')
  const { statusPurpose: purpose, statusListIndex, statusListCredential: url, statusSize = 1 } = status
  if (typeof purpose !== 'string') throw invalid('a status without a purpose')
  if (!DECIDING.includes(purpose)) return undefined
  const index = /^(0|[1-9]\d{0,9})$/.test(String(statusListIndex)) ? Number(statusListIndex) : undefined
  if (index === undefined || typeof url !== 'string' || statusSize !== 1)
    throw invalid('a status without a place')
  return { purpose, url, index }
}

export interface StatusList {
  readonly purposes: readonly string[]
  readonly bits: Uint8Array
  /** Unix seconds, when the issuer says that it is to be fetched anew. */
  readonly until: number
}

/**
 * A status list credential, verified: by the same issuer as the credential whose status it holds, and the one that was asked for.
 *
 * @throws HandshakeError `credential_invalid`
 */
export async function verifyStatusList(
  jwt: string,
  { url, issuer, now }: { readonly url: string; readonly issuer: DidDocument; readonly now: number },
): Promise<StatusList> {
  const keys = await keysOf(issuer, 'assertionMethod')
  const { claims } = await verifyJwt(jwt, { typ: VC_TYP, keys, now, refuseAs: 'credential_invalid' })
  if (issuerOf(claims) !== issuer.id) throw invalid('its status list is of another issuer')
  if (!typesOf(claims).includes('BitstringStatusListCredential')) throw invalid('its status list is none')
  // Of two lists of one issuer, whoever serves them must not show one for the other.
  if ((claims.id ?? url) !== url) throw invalid('its status list is another one')
  checkValidity(claims, now)
  const subject = claims.credentialSubject
  const [encoded, purpose] = [memberOf(subject, 'encodedList'), memberOf(subject, 'statusPurpose')]
  return {
    purposes: [purpose ?? []].flat().filter((one) => typeof one === 'string'),
    bits: await bitsOf(encoded),
    until: endOf(claims, memberOf(subject, 'ttl'), now),
  }
}

/** Herd privacy: fewer than 131 072 entries tell the issuer who was asked about. */
const LEAST_BYTES = 16_384
/** Eight million entries; a small answer can unpack to a thousand times its size. */
const MOST_BYTES = 1_048_576

/** @param encoded multibase `u`, base64url without padding, of the gzipped bits */
async function bitsOf(encoded: Json): Promise<Uint8Array> {
  const packed =
    typeof encoded === 'string' && encoded.startsWith('u') ? decodeBase64url(encoded.slice(1)) : undefined
  if (packed === undefined) throw invalid('its status list is not encoded as one')
  const bits = await unpacked(packed)
  if (bits.length < LEAST_BYTES) throw invalid('its status list is too short')
  return bits
}

async function unpacked(packed: Uint8Array): Promise<Uint8Array> {
  const body = new Blob([packed as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('gzip'))
  try {
    return await readBounded(new Response(body), MOST_BYTES, undefined)
  } catch (error) {
    const isTooLarge = error instanceof AthError
    throw invalid(isTooLarge ? 'its status list is too large' : 'its status list is not gzip')
  }
}

function endOf({ exp, validUntil }: JsonObject, ttl: Json, now: number): number {
  const forMilliseconds = typeof ttl === 'number' && ttl >= 0 ? ttl : Number.POSITIVE_INFINITY
  return Math.min(
    now + forMilliseconds / 1000,
    typeof exp === 'number' ? exp : Number.POSITIVE_INFINITY,
    dateOf(validUntil) ?? Number.POSITIVE_INFINITY,
  )
}

/** Whether the bit is 1; index 0 is the left-most bit of the first byte. @throws HandshakeError `credential_invalid` beyond the end */
export function isSet(bits: Uint8Array, index: number): boolean {
  if (index >= bits.length * 8) throw invalid('its place is beyond the status list')
  return (((bits[index >> 3] as number) >> (7 - (index & 7))) & 1) === 1
}
