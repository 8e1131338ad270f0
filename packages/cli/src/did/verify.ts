import { parseJson } from 'athkit/crypto'
import { type DidOperation, RefusedHistory, verifyHistory } from 'athkit/did'
import { AthError, HandshakeError } from 'athkit/errors'
import type { Command } from 'commander'
import { readBytes } from '../files.ts'
import { asJson } from '../options.ts'
import { run } from '../outcome.ts'
import { Usage } from '../trouble.ts'

export function verifyCommand(did: Command): void {
  did
    .command('verify <file>')
    .description('verify the history of a named DID, asking nobody')
    .addOption(asJson())
    .action((file: string, { json }: { json?: true }) =>
      run(
        json === true,
        () => verify(file),
        ({ did, seq, head, deactivated }) =>
          `${did}: ${seq + 1} operations hold${deactivated ? ', and it is deactivated' : ''}. The last is ${head}.`,
      ),
    )
}

async function verify(file: string) {
  const operations = operationsIn(file)
  try {
    const { did, seq, head, deactivated, document } = await verifyHistory(operations, {
      seen: null,
      taken: [],
    })
    return { ok: true, did, seq, head, deactivated, document }
  } catch (error) {
    if (!(error instanceof RefusedHistory)) throw error
    const { at, error: name, cause } = error
    const reason = cause instanceof HandshakeError ? `${name}: ${cause.reason}` : name
    throw new AthError('registry_violation', `operation ${at} does not hold: ${reason}`, { rule: 'ATH-4.6' })
  }
}

/** As `ath did history` and the registry write it, or the bare list. Strictly: JSON that could be read in two ways holds nowhere. */
function operationsIn(file: string): readonly DidOperation[] {
  const notOne = new Usage(`${file} is no history: ath did history DID --out FILE writes one`)
  let value: unknown
  try {
    value = parseJson(readBytes(file), { maxBytes: MOST_BYTES, maxDepth: 18 })
  } catch (error) {
    throw error instanceof HandshakeError ? notOne : error
  }
  const operations = Array.isArray(value) ? value : (value as { operations?: unknown } | null)?.operations
  if (!Array.isArray(operations) || operations.length === 0) throw notOne
  return operations
}

/** Indented, a history is larger than on the wire. */
const MOST_BYTES = 16_777_216
