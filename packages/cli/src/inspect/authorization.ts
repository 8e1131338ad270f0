import { type Json, type JsonObject, verifyJwt } from 'athkit/crypto'
import { refuse } from 'athkit/errors'
import {
  AUTHORIZATION_LABEL,
  AUTHORIZATION_TYP,
  readUserAuthorization,
  type UserAuthorizationClaims,
  without,
} from 'athkit/handshake'
import type { Place } from './inspector.ts'

/** m0, in either form: the user allows the agent (ATH-6.2.1, ATH-6.2.3). */
export async function inspectAuthorization(credential: Json, place: Place): Promise<void> {
  const { findings, known } = place
  const claims = await findings.judge('members, and twins that agree', 'ATH-6.2.1', () =>
    readUserAuthorization(credential),
  )
  if (claims === undefined) return
  await signature(credential, claims, place)
  const end = claims.exp ?? claims.expires_at ?? 0
  const ended = `it ended ${known.now - end} s ago`
  findings.hold('has not ended', 'ATH-6.2.3', end > known.now, 'credential_expired', ended)
  await agent(claims, place)
  audience(claims, place)
  findings.open('its user is enrolled there', 'ATH-4.7', 'only the service knows')
  findings.open('not revoked, not used up', 'ATH-6.2.3', 'only the service knows')
}

async function signature(credential: Json, claims: UserAuthorizationClaims, { findings, known }: Place) {
  const check = 'signed by the user'
  const keys = await known.keysOf(claims.iss ?? claims.user_did, 'assertionMethod')
  if (typeof keys === 'string') return findings.open(check, 'ATH-6.2.3', keys)
  if (typeof credential === 'string') {
    // Expiry has a check of its own.
    const now = Math.min(known.now, (claims.exp ?? claims.expires_at ?? 1) - 1)
    const expected = { typ: AUTHORIZATION_TYP, keys, now, refuseAs: 'credential_invalid' } as const
    await findings.judge(check, 'ATH-6.2.3', () => verifyJwt(credential, expected))
    return
  }
  const object = credential as JsonObject
  const covers = without(object, 'signature')
  await findings.signed(check, 'ATH-6.2.3', keys, {
    label: AUTHORIZATION_LABEL,
    covers,
    value: object.signature,
  })
}

async function agent(claims: UserAuthorizationClaims, { findings, known }: Place): Promise<void> {
  const m1 = known.message('m1')
  const check = 'names the agent of m1'
  if (m1 === undefined) return findings.open(check, 'ATH-6.2.3', 'takes m1')
  await findings.judge(check, 'ATH-6.2.3', () => {
    if (claims.client_did !== m1.client_did)
      throw refuse('credential_invalid', `it names ${claims.client_did}`)
  })
}

function audience({ aud }: UserAuthorizationClaims, { findings, known }: Place): void {
  const check = 'names the service'
  const names = typeof aud === 'string' ? [aud] : (aud ?? undefined)
  const server = known.serverDid ?? known.message('m2')?.server_did
  const meant = [known.audience, server].filter((one) => typeof one === 'string')
  if (names === undefined) findings.open(check, 'ATH-6.2.3', 'it names none: it is good at every one')
  else if (meant.length === 0) findings.open(check, 'ATH-6.2.3', 'takes --audience, --server or m2')
  else {
    const fits = names.some((name) => meant.includes(name))
    findings.hold(check, 'ATH-6.2.3', fits, 'credential_invalid', `it names ${names.join(', ')}`)
  }
}
