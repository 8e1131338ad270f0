import { type PublicKey, toMultikey } from '../crypto/keys.ts'
import { decodeMultikey } from '../crypto/multikey.ts'
import { refuse } from '../errors.ts'

/** A DID, taken apart (ATH-4.1, ATH-4.2). */
export type ParsedDid =
  | { readonly did: string; readonly method: 'ath' | 'key'; readonly form: 'key'; readonly id: string }
  | { readonly did: string; readonly method: 'ath'; readonly form: 'named'; readonly id: string }
  | { readonly did: string; readonly method: string; readonly form: 'other'; readonly id: string }

const DID = /^did:([a-z0-9]+):([A-Za-z0-9._:%-]+)$/
const NAME = /^[A-Za-z0-9._-]{1,128}$/
/** An id of 40 or more such characters that begins with `z` is a key or malformed: no name may look like one (ATH-4.1). */
const LOOKS_LIKE_A_KEY = /^z[1-9A-HJ-NP-Za-km-z]{39,}$/
const LONGEST = 2048

/**
 * @throws HandshakeError `malformed_message` when it is no DID, has a path, query or fragment, or is a key form of no key known here
 */
export function parseDid(did: unknown): ParsedDid {
  const match = typeof did === 'string' && did.length <= LONGEST ? DID.exec(did) : null
  if (match === null) throw malformed('not a DID')
  const [whole, method, id] = match as unknown as [string, string, string]
  if (method === 'key') return keyForm(whole, 'key', id)
  if (method !== 'ath') return { did: whole, method, form: 'other', id }
  if (LOOKS_LIKE_A_KEY.test(id)) return keyForm(whole, 'ath', id)
  if (!NAME.test(id)) throw malformed('a name has 1 to 128 characters of A-Z a-z 0-9 . _ -')
  return { did: whole, method: 'ath', form: 'named', id }
}

function keyForm(did: string, method: 'ath' | 'key', id: string): ParsedDid {
  if (decodeMultikey(id) === undefined) throw malformed('a key form of no key that is known here')
  return { did, method, form: 'key', id }
}

/** The key form of `did:ath`: the DID proves its own key and needs no look-up. */
export const didFromKey = (key: PublicKey): string => `did:ath:${toMultikey(key)}`

const malformed = (reason: string) => refuse('malformed_message', `DID: ${reason}`, { rule: 'ATH-4.1' })
