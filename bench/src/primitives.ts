import {
  type EphemeralShare,
  expand,
  extract,
  generateShare,
  generateSigner,
  randomBytes,
  sha256,
  signText,
  verifyText,
} from 'athkit/crypto'
import { HANDSHAKE_PRIMITIVES as OF } from './handshake-primitives.ts'

/**
 * The cryptography of one handshake on the service's side and nothing else, each operation as often as the service does it. It is
 * measured between two handshakes, so that both meet the same machine in the same mood.
 *
 * @returns a function that does all of it once, and says how many microseconds of CPU that took
 */
export async function createPrimitives(): Promise<() => Promise<number>> {
  const signer = await generateSigner()
  const text = 'x'.repeat(600)
  const signature = await signText(signer, text)
  const peer = await generateShare('ECDH-X25519')
  const [message, label] = [new Uint8Array(1200), new Uint8Array(12)]
  return async () => {
    const before = process.cpuUsage()
    for (let i = 0; i < OF.sign; i++) await signText(signer, text)
    for (let i = 0; i < OF.verify; i++) await verifyText(signer.publicKey, text, signature)
    const shares: EphemeralShare[] = []
    for (let i = 0; i < OF.generateShare; i++) shares.push(await generateShare('ECDH-X25519'))
    let z: Uint8Array = message
    for (const share of shares.slice(0, OF.agree)) z = await share.agree(peer.params)
    for (let i = 0; i < OF.sha256; i++) await sha256(message)
    for (let i = 0; i < OF.random; i++) randomBytes(16)
    const prk = await extract(label, z)
    for (let i = 1; i < OF.hmac; i++) await expand(prk, label, 32)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
}
