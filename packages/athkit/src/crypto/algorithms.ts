/**
 * Everything known about an algorithm, in one table (ATH-2). What is not in it is refused wherever it appears (ATH-2.3).
 */
export const SIGNATURES = {
  ES256: {
    crv: 'P-256',
    kty: 'EC',
    /** Multicodec prefix, as an unsigned varint, of the compressed point in a multikey. */
    multicodec: [0x80, 0x24],
    publicBytes: 33,
    /** What stands before the 65-byte point in a SubjectPublicKeyInfo. */
    spki: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
    /** What stands before the 32-byte scalar in the shortest PKCS#8. */
    pkcs8: '3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420',
  },
  EdDSA: {
    crv: 'Ed25519',
    kty: 'OKP',
    multicodec: [0xed, 0x01],
    publicBytes: 32,
    spki: '302a300506032b6570032100',
    pkcs8: '302e020100300506032b657004220420',
  },
} as const
export type SignatureAlgorithm = keyof typeof SIGNATURES
export const SIGNATURE_ALGORITHMS = Object.keys(SIGNATURES) as readonly SignatureAlgorithm[]

/** Bytes of every signature here. */
export const SIGNATURE_BYTES = 64

export const EXCHANGES = {
  'ECDH-P256': { shareBytes: 65, listed: false },
  'ECDH-X25519': { shareBytes: 32, listed: true },
} as const
export type KeyExchangeAlgorithm = keyof typeof EXCHANGES
export const KEY_EXCHANGES = Object.keys(EXCHANGES) as readonly KeyExchangeAlgorithm[]

export const CIPHERS = {
  'AES-256-GCM': { keyBytes: 32, nonceBytes: 12, tagBytes: 16, listed: false },
  'CHACHA20-POLY1305': { keyBytes: 32, nonceBytes: 12, tagBytes: 16, listed: true },
} as const
export type CipherSuite = keyof typeof CIPHERS
export const CIPHER_SUITES = Object.keys(CIPHERS) as readonly CipherSuite[]
