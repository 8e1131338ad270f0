import { type Awaitable, equalBytes, fromBase64url, toBase64url } from '../crypto/bytes.ts'
import { canonicalize, sha256 } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import { refuse } from '../errors.ts'

/**
 * Nonces that commit (ATH-6.1.1).
 *
 * The documents have each party sign the other's nonce. A bare nonce makes the signer an oracle: a rogue server could hand on a
 * nonce that a third party gave it. So the nonce carries a hash of what it is for — who dialled whom, and the message it stands
 * in — and whoever is asked to sign it checks that first.
 */
export type Role = 'client' | 'server'

/** A server known to follow the source documents to the letter: its plain nonces are signed at this origin (ATH-6.1.2). */
export interface LiteralPeer {
  readonly origin: string
  readonly did: string
}

const FORM = /^[A-Za-z0-9_:-]{8,256}$/
const COMMITTED = 'ath1:'
const RANDOM_BYTES = 16

/**
 * @param context for a client `{audience, message}`, for a server `{audience, request, message}`, the message without its nonce
 * @param random 16 bytes
 */
export async function createNonce(role: Role, context: JsonObject, random: Uint8Array): Promise<string> {
  if (random.length !== RANDOM_BYTES) throw new TypeError('a nonce takes 16 random bytes')
  const r = toBase64url(random)
  return `${COMMITTED}${r}:${toBase64url(await commitment(role, r, context))}`
}

/**
 * The form that keeps nonces apart from everything else a key signs (ATH-5.4).
 *
 * @throws HandshakeError `malformed_message`
 */
export function checkNonceForm(nonce: string, step: string): void {
  // `$` would let a final newline through in other dialects; JavaScript's does not without the `m` flag.
  if (!FORM.test(nonce))
    throw refuse('malformed_message', 'nonce outside its form', { rule: 'ATH-5.4', step })
}

export function isCommitted(nonce: string): boolean {
  return nonce.startsWith(COMMITTED)
}

/**
 * Whether a committed nonce commits to this context.
 *
 * @throws HandshakeError `nonce_mismatch`
 */
export async function verifyCommitment(
  nonce: string,
  role: Role,
  context: JsonObject,
  step: string,
): Promise<void> {
  if (await commitsTo(nonce, role, context)) return
  throw refuse('nonce_mismatch', `${step}: the nonce commits to something else`, { rule: 'ATH-6.1.1', step })
}

export async function commitsTo(nonce: string, role: Role, context: JsonObject): Promise<boolean> {
  const [, r, c, ...more] = nonce.split(':')
  if (r === undefined || c === undefined || more.length > 0) return false
  const [random, claimed] = [bytesOf(r), bytesOf(c)]
  if (random?.length !== RANDOM_BYTES || claimed === undefined) return false
  return equalBytes(claimed, await commitment(role, r, context))
}

/** The text that is hashed: `r` in its 22 characters, so that nothing decodes to another commitment. */
const commitment = (role: Role, r: string, context: JsonObject): Awaitable<Uint8Array> =>
  sha256(`ATH/0.1 nonce ${role}\n${r}\n${canonicalize(context)}`)

function bytesOf(text: string): Uint8Array | undefined {
  try {
    return fromBase64url(text)
  } catch {
    return undefined
  }
}
