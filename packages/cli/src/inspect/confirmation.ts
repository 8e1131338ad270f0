import { hash, type JsonObject } from 'athkit/crypto'
import {
  CONFIRMATION_REQUEST_LABEL,
  CONFIRMATION_RESPONSE_LABEL,
  ConfirmationRequest,
  ConfirmationResponse,
  claimsOf,
  confirmationInput,
  credentialId,
  without,
} from 'athkit/handshake'
import { ConfirmationReceipt } from 'athkit/messages'
import type { Inspect, Place } from './inspector.ts'

/** m6 and m7: the user decides (ATH-6.3). */

export const inspectConfirmationRequest: Inspect = async (m6, place) => {
  const { findings, known } = place
  if (!(await findings.shape(ConfirmationRequest, m6, 'm6'))) return
  const keys = await known.keysOf(m6.server_did, 'authentication')
  const covers = without(m6, 'signature')
  const { signature: value } = m6
  await findings.signed('signed by the server', 'ATH-6.3.1', keys, {
    label: CONFIRMATION_REQUEST_LABEL,
    covers,
    value,
  })
  compared('of the server that is meant', m6.server_did, known.serverDid, 'takes --server', place)
  findings.audience(m6.audience, known.audience, 'ATH-6.3.1', 'signature_invalid')
  const open = (m6.expires_at as number) - (m6.timestamp as number)
  findings.hold('open for at most 600 s', 'ATH-6.3.3', open <= 600, 'malformed_message', `open for ${open} s`)
  const isOpen = (m6.expires_at as number) > known.now
  findings.hold(
    'can still be answered',
    'ATH-6.3.3',
    isOpen,
    'confirmation_timeout',
    'its deadline has passed',
  )
  const m5 = known.message('m5')
  compared('asks about m5', m6.scope_request, m5 && (await hash(m5)), 'takes m5', place)
  await credential(m6, m5, place)
}

/** Nothing beyond the credential that the agent showed. */
async function credential(m6: JsonObject, m5: JsonObject | undefined, { findings }: Place): Promise<void> {
  const check = 'asks for no more than the credential'
  if (m5 === undefined) return findings.open(check, 'ATH-6.3.1', 'takes m5, which holds it')
  const claims = claimsOf((m5.user_authorization as JsonObject | undefined)?.credential)
  const may = Array.isArray(claims.scopes) ? claims.scopes : []
  const fits =
    m6.credential_id === (await credentialId(claims)) &&
    (m6.requested_scopes as string[]).every((scope) => may.includes(scope))
  findings.hold(check, 'ATH-6.3.1', fits, 'scopes_invalid', 'more, or another credential')
}

function compared(check: string, value: unknown, meant: unknown, takes: string, { findings }: Place): void {
  if (meant === undefined) findings.open(check, 'ATH-6.3.1', takes)
  else findings.hold(check, 'ATH-6.3.1', value === meant, 'signature_invalid', 'another')
}

export const inspectConfirmationResponse: Inspect = async (m7, { findings, known }) => {
  if (!(await findings.shape(ConfirmationResponse, m7, 'm7'))) return
  await findings.skew(m7, known.now, 'm7')
  const m6 = known.message('m6')
  if (m6 === undefined) {
    findings.open('signed by the user, over the question and the answer', 'ATH-6.3.2', 'takes m6')
    return findings.open('approves a part of what was asked', 'ATH-6.3.3', 'takes m6')
  }
  const keys = await known.keysOf(m6.user_did, 'authentication')
  const covers = await confirmationInput(m6, m7)
  await findings.signed('signed by the user, over the question and the answer', 'ATH-6.3.2', keys, {
    label: CONFIRMATION_RESPONSE_LABEL,
    covers,
    value: m7.signature,
  })
  const inTime = known.now < (m6.expires_at as number)
  findings.hold('in time', 'ATH-6.3.3', inTime, 'confirmation_timeout', 'the deadline has passed')
  const end = m7.approved === true ? (m7.expires_at ?? undefined) : undefined
  const isToCome = end === undefined || (end as number) > known.now
  findings.hold(
    'the end that it sets is to come',
    'ATH-6.3.3',
    isToCome,
    'malformed_message',
    'it has passed',
  )
  const asked = m6.requested_scopes as string[]
  const approved = (m7.approved_scopes ?? []) as string[]
  const isPart = m7.request_id === m6.request_id && approved.every((scope) => asked.includes(scope))
  findings.hold(
    'approves a part of what was asked',
    'ATH-6.3.3',
    isPart,
    'scopes_invalid',
    'more, or another question',
  )
}

export const inspectConfirmationReceipt: Inspect = async (receipt, { findings, known }) => {
  if (!(await findings.shape(ConfirmationReceipt, receipt, 'receipt'))) return
  await findings.skew(receipt, known.now, 'receipt')
}
