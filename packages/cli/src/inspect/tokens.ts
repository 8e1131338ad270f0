import {
  canonicalize,
  type Json,
  type JsonObject,
  publicKeyFromPem,
  toBase64url,
  verifyJwt,
} from 'athkit/crypto'
import { type DidDocument, verifyClientCredential } from 'athkit/did'
import { claimsOf } from 'athkit/handshake'
import { readAccessToken } from 'athkit/token'
import type { Place } from './inspector.ts'
import { knownTranscript } from './keys.ts'

/** JWTs beside m0. Each is given with its claims, unverified. */
export type InspectJwt = (token: string, claims: JsonObject, place: Place) => Promise<void>

/** ATH-6.5.3. */
export const inspectAccessToken: InspectJwt = async (token, claims, place) => {
  const { findings, known } = place
  const m2 = known.message('m2')
  const keys =
    m2 === undefined
      ? await known.keysOf(claims.iss, 'authentication')
      : [await publicKeyFromPem(m2.server_pubkey)]
  const check = 'claims, and signed by the server'
  const before = typeof claims.exp === 'number' ? claims.exp - 1 : known.now
  if (typeof keys === 'string') findings.open(check, 'ATH-6.5.4', keys)
  // Expiry has a check of its own.
  else
    await findings.judge(check, 'ATH-6.5.4', () =>
      readAccessToken(token, { keys, now: Math.min(known.now, before) }),
    )
  ends(claims, place)
  await ofHandshake(claims, place)
  findings.open(
    'session id is that of the session',
    'ATH-6.5.5',
    'takes the keys of the session, which nobody shows',
  )
}

/** What other messages say too, claim by claim (ATH-6.5.4). */
async function ofHandshake(claims: JsonObject, { findings, known }: Place): Promise<void> {
  const saysOf = new Map<string, Json>([
    ['iss', known.message('m2')?.server_did],
    ['sub', userIn(known.message('m5'))],
    ['client_id', known.message('m1')?.client_did],
    ['aud', known.audience],
    ['scope', sorted(known.message('m8')?.scopes_granted)],
    ['restrictions', known.message('m8') && (known.message('m8')?.restrictions ?? {})],
  ])
  const said = [...saysOf].filter(([, value]) => value !== undefined)
  const check = 'claims are those of the handshake'
  if (said.length === 0) findings.open(check, 'ATH-6.5.4', 'takes m1, m2, m5, m8 or --audience')
  else {
    const claim = (name: string) =>
      name === 'scope' ? sorted(String(claims.scope).split(' ')) : (claims[name] ?? {})
    const others = said.filter(([name, value]) => canonicalize(claim(name)) !== canonicalize(value))
    const why = `${others.map(([name]) => name).join(', ')}: not what the messages say`
    findings.hold(check, 'ATH-6.5.4', others.length === 0, 'token_invalid', why)
  }
  lifetime(claims, { findings, known })
  const transcript = await knownTranscript(known)
  if (typeof transcript === 'string') return findings.open('covers the transcript', 'ATH-6.5.2', transcript)
  const covers = claims.ath_transcript === toBase64url(transcript.hash)
  findings.hold('covers the transcript', 'ATH-6.5.2', covers, 'token_invalid', 'of other messages than these')
}

const sorted = (scopes: Json): Json => (Array.isArray(scopes) ? [...scopes].sort() : undefined)

function userIn(m5: JsonObject | undefined): Json {
  const { credential } = (m5?.user_authorization ?? {}) as JsonObject
  if (credential === undefined) return undefined
  const { iss, user_did } = claimsOf(credential)
  return iss ?? user_did
}

/** Not beyond the grant, nor what m4 announced as the longest. */
function lifetime({ iat, exp }: JsonObject, { findings, known }: Pick<Place, 'findings' | 'known'>): void {
  const check = 'ends with the grant at the latest'
  const m8 = known.message('m8')
  const longest =
    (known.message('m4')?.metadata as JsonObject | undefined)?.token_max_ttl ?? Number.POSITIVE_INFINITY
  if (m8 === undefined) findings.open(check, 'ATH-6.5.3', 'takes m8')
  else {
    const end = Number(m8.timestamp) + Number(m8.ttl_granted)
    const fits = Number(exp) <= end && Number(exp) - Number(iat) <= Number(longest)
    findings.hold(check, 'ATH-6.5.3', fits, 'token_invalid', 'it lives longer')
  }
}

/** ATH-6.3.5. */
export const inspectWalletToken: InspectJwt = async (token, claims, place) => {
  const { findings, known } = place
  const isWhole =
    [claims.iss, claims.aud, claims.jti].every((one) => typeof one === 'string' && one !== '') &&
    [claims.iat, claims.exp].every(Number.isSafeInteger)
  findings.hold('iss, aud, iat, exp and jti', 'ATH-6.3.5', isWhole, 'token_invalid', 'one is missing or none')
  const keys = await known.keysOf(claims.iss, 'authentication')
  await signedAs('ath-wallet+jwt', token, claims, keys, 'ATH-6.3.5', place)
  const lifetime = Number(claims.exp) - Number(claims.iat)
  findings.hold(
    'lives for at most 300 s',
    'ATH-6.3.5',
    lifetime <= 300,
    'token_invalid',
    `lives for ${lifetime} s`,
  )
  ends(claims, place)
  findings.audience(claims.aud, known.audience, 'ATH-6.3.5', 'token_invalid')
  findings.open('not used before', 'ATH-6.3.5', 'only the service knows')
}

/** A credential of a third party in m3 (ATH-6.1.6). */
export const inspectVc: InspectJwt = async (token, claims, { findings, known }) => {
  const { issuer, type, credentialSubject } = claims
  const did = typeof issuer === 'string' ? issuer : (issuer as JsonObject | undefined)?.id
  const clientDid = known.message('m1')?.client_did ?? (credentialSubject as JsonObject | undefined)?.id
  const keys = await known.keysOf(did, 'assertionMethod')
  const document = typeof did === 'string' ? await known.documentOf(did) : undefined
  const check = 'signed by its issuer, about this agent, valid at present'
  if (typeof keys === 'string' || document === undefined) findings.open(check, 'ATH-6.1.6', String(keys))
  else {
    await findings.judge(check, 'ATH-6.1.6', () =>
      verifyClientCredential(token, {
        issuers: new Map<string, DidDocument>([[String(did), document]]),
        types: [type ?? []].flat().map(String),
        clientDid: String(clientDid),
        now: known.now,
      }),
    )
  }
  findings.open('its issuer and type count', 'ATH-6.1.6', 'only the service knows')
  if (claims.credentialStatus !== undefined)
    findings.open('not revoked', 'ATH-6.1.6', 'takes its status list')
}

/** None of ATH's own: by its type it is refused wherever it is shown. */
export const inspectOtherJwt: InspectJwt = async (_token, claims, place) => {
  const why = 'it is none of user authorization, access token, wallet token, credential'
  place.findings.hold('its typ is one of the protocol', 'ATH-5.3', false, 'malformed_message', why)
  ends(claims, place)
}

export const inspectWebhook: InspectJwt = async (token, claims, place) => {
  const keys = await place.known.keysOf(claims.iss, 'authentication')
  await signedAs('ath-webhook+jwt', token, claims, keys, 'ATH-5.3', place)
  ends(claims, place)
}

async function signedAs(
  typ: string,
  token: string,
  claims: JsonObject,
  keys: Awaited<ReturnType<Place['known']['keysOf']>>,
  rule: string,
  { findings, known }: Place,
): Promise<void> {
  if (typeof keys === 'string') return findings.open('signed by its issuer', rule, keys)
  const now = typeof claims.exp === 'number' ? Math.min(known.now, claims.exp - 1) : known.now
  await findings.judge('signed by its issuer', rule, () =>
    verifyJwt(token, { typ, keys, now, refuseAs: 'token_invalid' }),
  )
}

function ends({ exp }: JsonObject, { findings, known }: Place): void {
  const check = 'has not ended'
  if (typeof exp !== 'number') findings.open(check, 'ATH-5.3', 'it says no end')
  else findings.hold(check, 'ATH-5.3', exp > known.now, 'token_invalid', `it ended ${known.now - exp} s ago`)
}
