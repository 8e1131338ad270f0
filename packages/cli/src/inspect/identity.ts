import { type Json, type JsonObject, publicKeyFromPem, sameKey, verifyText } from 'athkit/crypto'
import { refuse } from 'athkit/errors'
import {
  checkCapabilities,
  checkNonceForm,
  HandshakeRequest,
  HandshakeResponse,
  IdentityProof,
  IdentityResult,
  isCommitted,
  type Role,
  verifyCommitment,
  without,
} from 'athkit/handshake'
import { type Inspect, type Place, typOf } from './inspector.ts'
import { messagesOf } from './known.ts'

/** m1 to m4: who are you (ATH-6.1). */

const VC_TYP = 'vc+jwt'

export const inspectHandshakeRequest: Inspect = async (m1, place) => {
  const { findings, known } = place
  if (!(await findings.shape(HandshakeRequest, m1, 'm1'))) return
  await findings.skew(m1, known.now, 'm1')
  const key = await presentedKey(m1.client_did, m1.client_pubkey, place)
  if (key !== undefined) {
    await findings.judge('capabilities hold TLS1.3 and its own algorithm', 'ATH-2.1', () =>
      checkCapabilities(m1.capabilities as string[], [key.alg], 'm1'),
    )
  }
  await nonce(m1, 'client', { message: without(m1, 'nonce') }, place)
}

export const inspectHandshakeResponse: Inspect = async (m2, place) => {
  const { findings, known } = place
  if (!(await findings.shape(HandshakeResponse, m2, 'm2'))) return
  await findings.skew(m2, known.now, 'm2')
  const m1 = known.message('m1')
  await negotiated(m2, m1, place)
  const key = await presentedKey(m2.server_did, m2.server_pubkey, place)
  if (known.serverDid === undefined) {
    findings.open(
      'it is the server that is meant',
      'ATH-6.1.5',
      'takes --server, the DID that it is known by',
    )
  } else {
    const isIt = m2.server_did === known.serverDid
    findings.hold('it is the server that is meant', 'ATH-6.1.5', isIt, 'identity_unknown', 'another DID')
  }
  if (m1 === undefined || key === undefined)
    findings.open(
      'signature over the nonce of m1',
      'ATH-6.1.3',
      m1 === undefined ? 'takes m1' : 'takes its key',
    )
  else {
    await findings.judge('signature over the nonce of m1', 'ATH-6.1.3', () =>
      verifyText(key, String(m1.nonce), m2.signature),
    )
  }
  await nonce(m2, 'server', m1 && { request: m1, message: without(m2, 'nonce') }, place)
}

export const inspectIdentityProof: Inspect = async (m3, { findings, known, nest }) => {
  if (!(await findings.shape(IdentityProof, m3, 'm3'))) return
  await findings.skew(m3, known.now, 'm3')
  const messages = messagesOf(known, ['m1', 'm2'])
  if (typeof messages === 'string') findings.open('signature over the nonce of m2', 'ATH-6.1.3', messages)
  else {
    const { m1, m2 } = messages
    await findings.judge('signature over the nonce of m2', 'ATH-6.1.3', async () =>
      verifyText(await publicKeyFromPem(m1.client_pubkey), String(m2.nonce), m3.signature),
    )
  }
  for (const credential of (m3.credentials ?? []) as Json[]) {
    if (typOf(credential) === VC_TYP) await nest(credential)
    else findings.open('a credential in it', 'ATH-6.1.6', 'it is no vc+jwt, and ignored')
  }
}

export const inspectIdentityResult: Inspect = async (m4, { findings, known, nest }) => {
  if (!(await findings.shape(IdentityResult, m4, 'm4'))) return
  await findings.skew(m4, known.now, 'm4')
  if (m4.success === false) await nest(m4.error)
}

async function negotiated(m2: JsonObject, m1: JsonObject | undefined, { findings }: Place): Promise<void> {
  const check = 'version and capabilities are out of m1, and enough'
  if (m1 === undefined) return findings.open(check, 'ATH-2.1', 'takes m1')
  await findings.judge(check, 'ATH-2.1', async () => {
    const isIn = (one: unknown, list: unknown) => Array.isArray(list) && list.includes(one)
    if (!isIn(m2.version, m1.versions)) throw refuse('no_common_version', 'a version that m1 does not offer')
    const capabilities = m2.capabilities as string[]
    if (!capabilities.every((one) => isIn(one, m1.capabilities))) {
      throw refuse('no_common_capability', 'a capability that m1 does not offer')
    }
    const keys = await Promise.all([m1.client_pubkey, m2.server_pubkey].map(publicKeyFromPem))
    const algorithms = keys.map(({ alg }) => alg)
    checkCapabilities(capabilities, algorithms, 'm2')
  })
}

/** The key in a message, once it is one, and stands in the document of the DID where that is known. */
async function presentedKey(did: unknown, pem: unknown, { findings, known }: Place) {
  const key = await findings.judge('key is one PEM block, of P-256 or Ed25519', 'ATH-1.4', () =>
    publicKeyFromPem(pem),
  )
  const check = 'key is an authentication key of the DID'
  if (key === undefined) return undefined
  const keys = await known.keysOf(did, 'authentication')
  if (typeof keys === 'string') findings.open(check, 'ATH-4.3', keys)
  else
    await findings.judge(check, 'ATH-4.3', () => {
      if (!keys.some((one) => sameKey(one, key))) throw refuse('key_mismatch', 'it is none of its keys')
    })
  return key
}

/** @param context of the commitment, but for the audience; undefined where it takes m1 */
async function nonce(
  message: JsonObject,
  role: Role,
  context: JsonObject | undefined,
  { findings, known }: Place,
): Promise<void> {
  const { nonce } = message as { readonly nonce: string }
  const form = await findings.judge('nonce is of its form', 'ATH-5.4', () => {
    checkNonceForm(nonce, 'message')
    return true
  })
  const check = 'nonce commits to the message and the audience'
  if (form === undefined) return
  if (!isCommitted(nonce)) {
    return findings.open(check, 'ATH-6.1.2', 'it is a plain nonce: taken from a literal implementation alone')
  }
  if (context === undefined) return findings.open(check, 'ATH-6.1.1', 'takes m1')
  const { audience } = known
  if (audience === undefined)
    return findings.open(check, 'ATH-6.1.1', 'takes --audience, the origin that was dialled')
  await findings.judge(check, 'ATH-6.1.1', () =>
    verifyCommitment(nonce, role, { audience, ...context }, role === 'client' ? 'm1' : 'm2'),
  )
}
