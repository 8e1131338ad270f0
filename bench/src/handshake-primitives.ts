/**
 * How often the service does what in one handshake in which nobody is asked. `test/service/primitives.test.ts` of athkit counts the
 * calls of a real one, and fails where they are not these.
 */
export const HANDSHAKE_PRIMITIVES = {
  /** m2's answer to the client's nonce, and the token. */
  sign: 2,
  /** m3, the credential, m5, m9a. */
  verify: 4,
  /** Of the key exchange. */
  generateShare: 1,
  agree: 1,
  /** HKDF: one extract, four secrets. */
  hmac: 5,
  /** Two commitments, `hs`, H(m5), the credential's id, the transcript; where pair and account lie. */
  sha256: 8,
  /** Id of the handshake, m2's nonce. */
  random: 2,
} as const
