import { hash, type JsonObject, publicKeyFromPem } from 'athkit/crypto'
import { refuse } from 'athkit/errors'
import {
  areScopes,
  claimsOf,
  handshakeHash,
  SCOPE_REQUEST_LABEL,
  ScopeRequest,
  ScopeResult,
  scopeRequestInput,
  verifyScopeResult,
} from 'athkit/handshake'
import { AuthorizationPending } from 'athkit/messages'
import type { Inspect, Place } from './inspector.ts'
import { messagesOf } from './known.ts'

/** m5, the 202 and m8: what may you do (ATH-6.2, ATH-6.4). */

export const inspectScopeRequest: Inspect = async (m5, { findings, known, nest }) => {
  if (!(await findings.shape(ScopeRequest, m5, 'm5'))) return
  await findings.skew(m5, known.now, 'm5')
  const scopes = m5.scopes as string[]
  const areSome = scopes.length > 0 && areScopes(scopes)
  findings.hold(
    'scopes are of their form',
    'ATH-1.7',
    areSome,
    'scopes_invalid',
    'none, or not resource:action',
  )
  const { credential, signature } = m5.user_authorization as JsonObject
  const check = 'signed by the agent, for this service and handshake'
  const messages = messagesOf(known, ['m1', 'm2', 'm3'])
  const { audience } = known
  if (typeof messages === 'string') findings.open(check, 'ATH-6.2.2', messages)
  else if (audience === undefined) findings.open(check, 'ATH-6.2.2', 'takes --audience')
  else {
    const { m1, m2, m3 } = messages
    const covers = scopeRequestInput(m5, audience, await handshakeHash(m1, m2, m3))
    const keys = [await publicKeyFromPem(m1.client_pubkey)]
    await findings.signed(check, 'ATH-6.2.2', keys, { label: SCOPE_REQUEST_LABEL, covers, value: signature })
  }
  await nest(credential)
}

export const inspectPending: Inspect = async (pending, { findings, known }) => {
  if (!(await findings.shape(AuthorizationPending, pending, '202'))) return
  await findings.skew(pending, known.now, '202')
  const open = (pending.expires_at as number) - (pending.timestamp as number)
  findings.hold('open for at most 600 s', 'ATH-6.3.3', open <= 600, 'malformed_message', `open for ${open} s`)
  const m6 = known.message('m6')
  const check = 'announces the question that the user gets'
  if (m6 === undefined) return findings.open(check, 'ATH-3.4', 'takes m6')
  const fits = pending.confirmation_request === (await hash(m6)) && pending.binding_code === m6.binding_code
  findings.hold(check, 'ATH-3.4', fits, 'malformed_message', 'another question than m6')
}

export const inspectScopeResult: Inspect = async (m8, place) => {
  const { findings, known } = place
  if (!(await findings.shape(ScopeResult, m8, 'm8'))) return
  await findings.skew(m8, known.now, 'm8')
  await withinRequest(m8, place)
  await withinCredential(m8, place)
  await ofQuestion(m8, place)
}

/** The user answered the question that was asked, and that the agent was told of. */
async function ofQuestion({ confirmation }: JsonObject, { findings, known }: Place): Promise<void> {
  const check = 'the user answered the question that was asked'
  const { request, response } = (confirmation ?? {}) as JsonObject
  const pending = known.message('202')
  const [m6, m7] = [known.message('m6'), known.message('m7')]
  if (pending !== undefined && request !== pending.confirmation_request) {
    findings.hold(check, 'ATH-6.4.1', false, 'malformed_message', 'not the one that the 202 announced')
  } else if (m6 === undefined || m7 === undefined) {
    findings.open(
      check,
      'ATH-6.4.1',
      request === undefined ? 'it says that nobody was asked' : 'takes m6 and m7',
    )
  } else {
    const fits = request === (await hash(m6)) && response === (await hash(m7))
    findings.hold(check, 'ATH-6.4.1', fits, 'malformed_message', 'other hashes than those of m6 and m7')
  }
}

async function withinRequest(m8: JsonObject, { findings, known }: Place): Promise<void> {
  const check = 'within what was asked for and announced'
  const messages = messagesOf(known, ['m4', 'm5'])
  if (typeof messages === 'string') return findings.open(check, 'ATH-6.4', messages)
  const { m4, m5 } = messages
  const metadata = (m4.metadata ?? {}) as JsonObject
  await findings.judge(check, 'ATH-6.4', () =>
    verifyScopeResult(m8, {
      request: m5 as ScopeRequest,
      metadata: {
        scopesSupported: (metadata.scopes_supported ?? []) as string[],
        tokenMaxTtl: (metadata.token_max_ttl ?? undefined) as number | undefined,
        requireUserConfirmation: true,
      },
      // Skew has a check of its own.
      now: m8.timestamp as number,
    }),
  )
}

async function withinCredential(m8: JsonObject, { findings, known }: Place): Promise<void> {
  const check = 'within the credential'
  const credential = (known.message('m5')?.user_authorization as JsonObject | undefined)?.credential
  if (credential === undefined) return findings.open(check, 'ATH-6.4.1', 'takes m5')
  await findings.judge(check, 'ATH-6.4.1', () => {
    const { scopes } = claimsOf(credential)
    const may = Array.isArray(scopes) ? scopes : []
    if ((m8.scopes_granted as string[]).every((scope) => may.includes(scope))) return
    throw refuse('malformed_message', 'scopes beyond the credential were granted')
  })
}
