import type { JsonObject } from 'athkit/crypto'
import { applyOperation, type DidDocument, keysOf, parseDid, RELATIONSHIPS, verifyHistory } from 'athkit/did'
import { refuse } from 'athkit/errors'
import type { Inspect } from './inspector.ts'

/** DID documents, and the operations that make those of named DIDs (ATH-4). */

export const inspectDocument: Inspect = async (document, { findings }) => {
  await findings.judge('its id is a DID', 'ATH-4.1', () => parseDid(document.id))
  for (const relationship of RELATIONSHIPS) {
    const keys = await keysOf(document as DidDocument, relationship)
    const check = `${relationship}: ${keys.length} ${keys.length === 1 ? 'key' : 'keys'} of P-256 or Ed25519`
    findings.hold(
      check,
      'ATH-4.3',
      keys.length > 0,
      'key_mismatch',
      'nothing can be verified with it for this',
    )
  }
}

export const inspectResolution: Inspect = async (result, { findings, nest }) => {
  const { didDocument, didDocumentMetadata } = result as {
    didDocument: JsonObject | null
    didDocumentMetadata?: JsonObject
  }
  const deactivated = didDocumentMetadata?.deactivated === true
  findings.hold('not deactivated', 'ATH-4.3', !deactivated, 'identity_revoked', 'the DID was deactivated')
  if (didDocument !== null) await nest(didDocument)
}

export const inspectOperation: Inspect = async (operation, { findings }) => {
  if (operation.seq !== 0) {
    return findings.open('follows, and signed by who controlled it', 'ATH-4.6', 'takes the whole history')
  }
  await findings.judge('signed by a controlling key and by every new one', 'ATH-4.6', () =>
    applyOperation(operation, undefined),
  )
}

export const inspectHistory: Inspect = async ({ operations }, { findings }) => {
  await findings.judge('every operation follows and is signed', 'ATH-4.6', async () => {
    const listed = (Array.isArray(operations) ? operations : []) as JsonObject[]
    await verifyHistory(listed, { seen: null, taken: [] }).catch((error: unknown) => {
      const { at, error: name } = error as { at?: number; error?: Parameters<typeof refuse>[0] }
      if (at === undefined || name === undefined) throw error
      throw refuse(name, `operation ${at} is to blame`)
    })
  })
  findings.open('it is the newest', 'ATH-4.6', 'only the registry knows')
}
