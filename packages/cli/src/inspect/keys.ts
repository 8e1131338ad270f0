import { generateShare, hash, type JsonObject, KEY_EXCHANGES, publicKeyFromPem } from 'athkit/crypto'
import {
  HandshakeComplete,
  handshakeHash,
  KEY_EXCHANGE_LABEL,
  KeyExchange,
  keyExchangeInput,
  transcriptHash,
} from 'athkit/handshake'
import { ACCESS_TOKEN_TYP } from 'athkit/token'
import { type Inspect, type Place, typOf } from './inspector.ts'
import { type Known, messagesOf } from './known.ts'

/** m9a and m9b: keys and token (ATH-6.5). */

export const inspectKeyExchange: Inspect = async (m9a, place) => {
  const { findings, known } = place
  if (!(await findings.shape(KeyExchange, m9a, 'm9a'))) return
  await findings.skew(m9a, known.now, 'm9a')
  await share(m9a, place)
  allowed(m9a, place)
  const check = 'signed by the agent, for this service and handshake'
  const messages = messagesOf(known, ['m1', 'm2', 'm3', 'm5'])
  const { audience } = known
  if (typeof messages === 'string') return findings.open(check, 'ATH-6.5.1', messages)
  if (audience === undefined) return findings.open(check, 'ATH-6.5.1', 'takes --audience')
  const { m1, m2, m3, m5 } = messages
  const covers = keyExchangeInput(m9a, audience, await handshakeHash(m1, m2, m3), await hash(m5))
  const keys = [await publicKeyFromPem(m1.client_pubkey)]
  await findings.signed(check, 'ATH-6.5.1', keys, { label: KEY_EXCHANGE_LABEL, covers, value: m9a.signature })
}

/** Algorithms that need no listing in `capabilities` of m2, and those that do (ATH-2). */
const MANDATORY: readonly unknown[] = ['ECDH-P256', 'AES-256-GCM']
const OPTIONAL: readonly unknown[] = ['ECDH-X25519', 'CHACHA20-POLY1305']

function allowed(m9a: JsonObject, { findings, known }: Place): void {
  const check = 'algorithms are out of m2'
  const listed = [m9a.key_exchange_alg, m9a.cipher_suite].filter((name) => !MANDATORY.includes(name))
  const m2 = known.message('m2')
  if (m2 === undefined && listed.length > 0 && listed.every((name) => OPTIONAL.includes(name))) {
    findings.open(check, 'ATH-2.2', 'takes m2')
    return
  }
  const capabilities = (m2?.capabilities ?? []) as unknown[]
  const fits = listed.every((name) => OPTIONAL.includes(name) && capabilities.includes(name))
  findings.hold(check, 'ATH-2.2', fits, 'no_common_capability', 'one that m2 does not allow')
}

export const inspectHandshakeComplete: Inspect = async (m9b, place) => {
  const { findings, known, nest } = place
  if (!(await findings.shape(HandshakeComplete, m9b, 'm9b'))) return
  await findings.skew(m9b, known.now, 'm9b')
  await share(m9b, place)
  const m9a = known.message('m9a')
  const check = 'repeats the algorithms of m9a'
  if (m9a === undefined) findings.open(check, 'ATH-2.2', 'takes m9a')
  else {
    const same = m9b.key_exchange_alg === m9a.key_exchange_alg && m9b.cipher_suite === m9a.cipher_suite
    findings.hold(check, 'ATH-2.2', same, 'malformed_message', 'others')
  }
  findings.hold(
    'carries an access token',
    'ATH-6.5.3',
    typOf(m9b.access_token) === ACCESS_TOKEN_TYP,
    'token_invalid',
    'it is a JWT of another type, or none',
  )
  await nest(m9b.access_token)
}

/** A point on its curve, of the length that is due: it is one when another share agrees with it. */
export async function share(
  { key_exchange_alg: alg, key_exchange_params: params }: JsonObject,
  { findings }: Place,
) {
  const known = KEY_EXCHANGES.find((name) => name === alg)
  if (known === undefined) return
  await findings.judge('share is a valid one', 'ATH-2', async () =>
    (await generateShare(known)).agree(String(params)),
  )
}

/** The transcript of all messages that are known; in words which are missing. */
export async function knownTranscript(known: Known): Promise<{ readonly hash: Uint8Array } | string> {
  const messages = messagesOf(known, ['m1', 'm2', 'm3', 'm4', 'm5', 'm8', 'm9a', 'm9b'])
  return typeof messages === 'string' ? messages : { hash: await transcriptHash(messages, messages.m9b) }
}
