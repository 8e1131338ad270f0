import type { KeyExchangeAlgorithm } from '../crypto/algorithms.ts'
import { fromBase64url, toBase64url } from '../crypto/bytes.ts'
import { shareFromPrivate } from '../crypto/ecdh.ts'
import { extract } from '../crypto/hkdf.ts'
import { hash } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import { without } from '../crypto/shape.ts'
import { signingInput } from '../crypto/signature.ts'
import * as h from '../handshake/index.ts'
import { verifyAuthorizationPending } from '../messages/pending.ts'
import { keyFormResolver } from './key-form.ts'
import { refusedWith } from './refused.ts'

interface Input extends h.HandshakeMessages {
  readonly audience: string
  readonly pins: readonly string[]
  readonly literal_peers: readonly h.LiteralPeer[]
  readonly m5: h.ScopeRequest
  readonly m6?: JsonObject
  readonly m7?: JsonObject
  readonly pending?: JsonObject
  readonly m9b: JsonObject
  readonly client_share_private: string
  readonly now: number
}

/** transcript.json: a whole handshake as the client sees it (ATH-6). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const typed = input as unknown as Input
  const claims = h.claimsOf(typed.m5.user_authorization.credential)
  const session = await verifyAll(typed, claims)
  return { ...(await hashesAndInputs(typed, claims)), ...(await asked(typed)), ...session }
}

/** The client's checks of everything it receives, in the order it receives it. */
async function verifyAll(input: Input, credential: JsonObject): Promise<JsonObject> {
  const { audience, pins, now, m1, m2, m4, m5, m8, m9a, m9b, pending } = input
  const { serverKey } = await refusedWith({ at: 'm2' }, () =>
    h.verifyHandshakeResponse(m2, {
      request: m1,
      audience,
      now,
      resolver: keyFormResolver(now),
      pins,
      credentialAudience: audienceOf(credential),
      literalPeers: input.literal_peers,
    }),
  )
  const { metadata } = await refusedWith({ at: 'm4' }, () => h.verifyIdentityResult(m4, now))
  await refusedWith({ at: 'm8' }, () => {
    const told = pending === undefined ? undefined : verifyAuthorizationPending(pending, now)
    return h.verifyScopeResult(m8, {
      request: m5,
      metadata,
      confirmationRequest: told?.confirmation_request,
      now,
    })
  })
  const share = await shareFromPrivate(
    m9a.key_exchange_alg as KeyExchangeAlgorithm,
    fromBase64url(input.client_share_private),
  )
  return refusedWith({ at: 'm9b' }, async () => {
    const { secrets, claims, transcript, message } = await h.verifyHandshakeComplete(m9b, {
      audience,
      userDid: String(credential.iss ?? credential.user_did),
      messages: input,
      share,
      serverKey,
      tokenMaxTtl: metadata.tokenMaxTtl,
      now,
    })
    const z = await share.agree(message.key_exchange_params)
    return {
      transcript: toBase64url(transcript),
      z: toBase64url(z),
      prk: toBase64url(await extract(transcript, z)),
      c2s: toBase64url(secrets.c2s),
      s2c: toBase64url(secrets.s2c),
      rekey: toBase64url(secrets.rekey),
      sid: toBase64url(secrets.sid),
      token_claims: { ...claims },
    }
  })
}

const audienceOf = ({ aud }: JsonObject): readonly string[] =>
  [aud ?? []].flat().filter((name) => typeof name === 'string')

async function hashesAndInputs(input: Input, claims: JsonObject): Promise<JsonObject> {
  const { audience, m1, m2, m3, m5, m9a } = input
  const handshake = await h.handshakeHash(m1, m2, m3)
  const scopeRequest = await hash(m5)
  return {
    handshake_hash: handshake,
    scope_request_hash: scopeRequest,
    credential_id: await h.credentialId(claims),
    scope_request_signing_input: signingInput(
      h.SCOPE_REQUEST_LABEL,
      h.scopeRequestInput(m5, audience, handshake),
    ),
    key_exchange_signing_input: signingInput(
      h.KEY_EXCHANGE_LABEL,
      h.keyExchangeInput(m9a, audience, handshake, scopeRequest),
    ),
  }
}

/** Where the user was asked: what the server and the user hashed and signed. */
async function asked({ m6, m7 }: Input): Promise<JsonObject> {
  if (m6 === undefined || m7 === undefined) return {}
  return {
    confirmation_request_hash: await hash(m6),
    confirmation_response_hash: await hash(m7),
    confirmation_request_signing_input: signingInput(h.CONFIRMATION_REQUEST_LABEL, without(m6, 'signature')),
    confirmation_response_signing_input: signingInput(
      h.CONFIRMATION_RESPONSE_LABEL,
      await h.confirmationInput(m6, m7),
    ),
  }
}
