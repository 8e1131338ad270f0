import {
  expand,
  extract,
  generateShare,
  generateSigner,
  randomBytes,
  sha256,
  signText,
  verifyText,
} from 'athkit/crypto'

const ROUNDS = 400

/**
 * The cryptography that a service cannot do without in one handshake, and nothing else: it signs message 2 and the token, verifies
 * the signatures of messages 3, 5 and 9a and of the credential, makes a share, agrees, and derives four secrets.
 *
 * @returns microseconds of CPU for one handshake
 */
export async function primitives(): Promise<number> {
  const signer = await generateSigner()
  const [text, signature] = ['x'.repeat(600), await signText(signer, 'x'.repeat(600))]
  const peer = await generateShare('ECDH-X25519')
  const once = async () => {
    for (let i = 0; i < 2; i++) await signText(signer, text)
    for (let i = 0; i < 4; i++) await verifyText(signer.publicKey, text, signature)
    const share = await generateShare('ECDH-X25519')
    const prk = await extract(await sha256(randomBytes(2000)), await share.agree(peer.params))
    for (let i = 0; i < 4; i++) await expand(prk, randomBytes(12), 32)
  }
  for (let i = 0; i < ROUNDS; i++) await once()
  const before = process.cpuUsage()
  for (let i = 0; i < ROUNDS; i++) await once()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / ROUNDS
}
