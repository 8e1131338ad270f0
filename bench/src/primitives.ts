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
 * The cryptography of one handshake on the service's side, counted call by call, and nothing else: it signs message 2 and the
 * token, verifies the signatures of messages 3, 5 and 9a and of the credential, makes a share, agrees, derives four secrets, hashes
 * nine times (nonces, transcript, what is bound to what), and draws three random values.
 *
 * @returns microseconds of CPU for one handshake
 */
export async function primitives(): Promise<number> {
  const signer = await generateSigner()
  const [text, signature] = ['x'.repeat(600), await signText(signer, 'x'.repeat(600))]
  const peer = await generateShare('ECDH-X25519')
  const [message, label] = [new Uint8Array(800), new Uint8Array(12)]
  const once = async () => {
    for (let i = 0; i < 2; i++) await signText(signer, text)
    for (let i = 0; i < 4; i++) await verifyText(signer.publicKey, text, signature)
    const share = await generateShare('ECDH-X25519')
    const z = await share.agree(peer.params)
    for (let i = 0; i < 8; i++) await sha256(message)
    for (let i = 0; i < 3; i++) randomBytes(16)
    const prk = await extract(await sha256(message), z)
    for (let i = 0; i < 4; i++) await expand(prk, label, 32)
  }
  for (let i = 0; i < ROUNDS; i++) await once()
  const before = process.cpuUsage()
  for (let i = 0; i < ROUNDS; i++) await once()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / ROUNDS
}
