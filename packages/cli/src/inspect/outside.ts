import { hash, type JsonObject } from 'athkit/crypto'
import { refuse } from 'athkit/errors'
import { without } from 'athkit/handshake'
import {
  checkErrorObject,
  DiscoveryDocument,
  ENROLMENT_LABEL,
  Enrolment,
  parseDiscovery,
  parseGrantsListing,
  parseInboxListing,
  REVOCATION_LABEL,
  REVOCATION_RECEIPT_LABEL,
  Revocation,
  RevocationReceipt,
} from 'athkit/messages'
import { RotationRequest } from 'athkit/session'
import type { Inspect } from './inspector.ts'
import { share } from './keys.ts'

/** What is said outside the nine steps. */

export const inspectError: Inspect = async (error, { findings }) => {
  await findings.judge('an error of the table, as its code says', 'ATH-9', () =>
    checkErrorObject(Number(error.code), error),
  )
  findings.open('its code is the HTTP status', 'ATH-9', 'takes the answer that it came with')
}

export const inspectDiscovery: Inspect = async (document, { findings, known }) => {
  if (!(await findings.shape(DiscoveryDocument, document, 'discovery'))) return
  await findings.judge('endpoints are absolute paths', 'ATH-3.2', () =>
    parseDiscovery(document, known.audience ?? 'https://origin.invalid'),
  )
  findings.open('it is the server that is meant', 'ATH-3.2', 'everything in it is a hint: the handshake says')
}

export const inspectRevocation: Inspect = async (revocation, { findings, known }) => {
  if (!(await findings.shape(Revocation, revocation, 'revocation'))) return
  await findings.skew(revocation, known.now, 'revocation')
  await findings.judge('that of a credential says its end', 'ATH-8', () => {
    const { kind } = revocation.target as JsonObject
    if (kind === 'credential' && (revocation.expires_at ?? undefined) === undefined) {
      throw refuse('malformed_message', 'no expires_at')
    }
  })
  const keys = await known.keysOf(revocation.signer_did, 'authentication')
  const covers = without(revocation, 'signature')
  const { signature: value } = revocation
  await findings.signed('signed by its signer', 'ATH-8', keys, { label: REVOCATION_LABEL, covers, value })
  findings.audience(revocation.audience, known.audience, 'ATH-8', 'signature_invalid')
  findings.open('the target is theirs', 'ATH-8', 'only the service knows, and it does not say')
}

export const inspectRevocationReceipt: Inspect = async (receipt, { findings, known }) => {
  if (!(await findings.shape(RevocationReceipt, receipt, 'receipt'))) return
  await findings.skew(receipt, known.now, 'receipt')
  const { serverDid } = known
  const keys = serverDid === undefined ? 'takes --server' : await known.keysOf(serverDid, 'authentication')
  const covers = without(receipt, 'signature')
  const { signature: value } = receipt
  await findings.signed('signed by the server', 'ATH-8', keys, {
    label: REVOCATION_RECEIPT_LABEL,
    covers,
    value,
  })
  const revocation = known.message('revocation')
  const check = 'for the revocation that was sent'
  if (revocation === undefined) return findings.open(check, 'ATH-8', 'takes the revocation')
  const fits = receipt.request === (await hash(revocation))
  findings.hold(check, 'ATH-8', fits, 'signature_invalid', 'for another')
}

export const inspectEnrolment: Inspect = async (enrolment, { findings, known }) => {
  if (!(await findings.shape(Enrolment, enrolment, 'enrolment'))) return
  await findings.skew(enrolment, known.now, 'enrolment')
  const keys = await known.keysOf(enrolment.user_did, 'authentication')
  const covers = without(enrolment, 'signature')
  const { signature: value } = enrolment
  await findings.signed('signed by the user', 'ATH-4.7', keys, { label: ENROLMENT_LABEL, covers, value })
  findings.audience(enrolment.audience, known.audience, 'ATH-4.7', 'signature_invalid')
  findings.open('the challenge was given for it', 'ATH-4.7', 'only the service knows')
}

export const inspectRotation: Inspect = async (rotation, place) => {
  const { findings, known } = place
  if (!(await findings.shape(RotationRequest, rotation, 'rotation'))) return
  await findings.skew(rotation, known.now, 'rotation')
  await share(rotation, place)
}

export const inspectRenewal: Inspect = async (renewal, { findings, known, nest }) => {
  await findings.skew(renewal, known.now, 'renewal')
  if (typeof renewal.access_token === 'string') await nest(renewal.access_token)
}

export const inspectInbox: Inspect = async (listing, { findings, nest }) => {
  const pending = await findings.judge('shape', 'ATH-6.3.5', () => parseInboxListing(listing))
  for (const m6 of pending ?? []) await nest(m6)
}

export const inspectGrants: Inspect = async (listing, { findings }) => {
  await findings.judge('shape', 'ATH-8', () => parseGrantsListing(listing))
}
