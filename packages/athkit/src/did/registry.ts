import type { Json } from '../crypto/json.ts'
import { checkTimestamp } from '../crypto/shape.ts'
import { refuse } from '../errors.ts'
import { parseDid } from './did.ts'
import { applyOperation, checkNameIsFree, type DidOperation, type DidState } from './history.ts'
import type { DidMethod, Resolution } from './resolver.ts'

/** Named DIDs and their histories (ATH-4.6), wherever they are kept. */
export interface Registry {
  /**
   * Takes one operation: of any number that follow one state, exactly one is taken.
   *
   * @returns the state after it
   * @throws HandshakeError `malformed_message`, `timestamp_skew`, `signature_invalid`, `identity_revoked` after a deactivation,
   *   `out_of_order` for one that does not follow, and for a name that is taken or differs from another only in case
   */
  submit(operation: Json): Promise<DidState>
  /** Every operation, from the first; none for a DID that is not registered. */
  history(did: string): Promise<readonly DidOperation[]>
  state(did: string): Promise<DidState | undefined>
  /** For `createResolver({ registry })`: who keeps the registry need not ask it over the network. */
  readonly lookup: DidMethod
}

/** Two names that differ only in case are one name to a registry (ATH-4.1), though not to anybody who resolves them. */
export const registryKey = (did: string): string => did.toLowerCase()

/**
 * The DID that an operation is about, before anything is looked up for it.
 *
 * @throws HandshakeError `malformed_message` for what is no name: one that looks like a key in the key form, above all (ATH-4.1)
 */
export function subjectOf(operation: Json): string {
  const { did } = (operation ?? {}) as { readonly did?: unknown }
  const parsed = parseDid(did)
  if (parsed.form === 'named') return parsed.did
  throw refuse('malformed_message', 'a registry has named DIDs only', { rule: 'ATH-4.1' })
}

/** What is registered, as a resolver wants it. A deactivated DID has no document left but its name. */
export function resolutionOf(state: DidState): Resolution {
  return { document: state.document ?? { id: state.did }, deactivated: state.deactivated }
}

/**
 * What a registry checks of an operation before it keeps it.
 *
 * @param before what stands under the same {@link registryKey}
 * @param now Unix seconds
 * @throws HandshakeError as {@link Registry.submit}
 */
export async function acceptOperation(
  operation: Json,
  before: DidState | undefined,
  now: number,
): Promise<DidState> {
  const { op, signatures } = operation as { readonly op?: unknown; readonly signatures?: unknown }
  checkSignedOnce(signatures)
  if (op === 'create' && before !== undefined) checkNameIsFree(subjectOf(operation), [before.did])
  const state = await applyOperation(operation, before)
  checkTimestamp((operation as DidOperation).timestamp, now, 'did_operation')
  return state
}

/** One signature of each key says all there is to say; a thousand of one are work for whoever verifies them. */
function checkSignedOnce(signatures: unknown): void {
  const kids = Array.isArray(signatures) ? signatures.map((one) => one?.kid) : []
  if (new Set(kids).size === kids.length) return
  throw refuse('malformed_message', 'two signatures of one key', { rule: 'ATH-4.6' })
}

interface Entry {
  readonly state: DidState
  readonly operations: readonly DidOperation[]
}

/** A registry in the memory of one process: for tests, demonstrations, and programs that are all three parties. */
export function createMemoryRegistry(
  options: {
    /** Unix seconds. */
    readonly now?: () => number
    /** Whether documents are known to name origins of their own only (ATH-6.1.5); false. */
    readonly verifiesOrigins?: boolean
  } = {},
): Registry {
  const { now = () => Math.floor(Date.now() / 1000), verifiesOrigins = false } = options
  const entries = new Map<string, Entry>()
  const find = (did: string): Entry | undefined => {
    const entry = entries.get(registryKey(did))
    return entry?.state.did === did ? entry : undefined
  }

  return {
    async submit(operation) {
      const key = registryKey(subjectOf(operation))
      const before = entries.get(key)
      // Nobody changes what was verified: the registry keeps a copy of its own.
      const kept = structuredClone(operation) as DidOperation
      const state = await acceptOperation(kept, before?.state, now())
      // Verifying took a while: of two that follow the same state, the first to come here is taken.
      if (entries.get(key) !== before) throw refuse('out_of_order', 'another was first', { rule: 'ATH-4.6' })
      entries.set(key, { state, operations: [...(before?.operations ?? []), kept] })
      return state
    },
    history: async (did) => structuredClone(find(did)?.operations ?? []) as readonly DidOperation[],
    state: async (did) => find(did)?.state,
    async lookup(did) {
      const entry = find(did)
      return entry && { ...resolutionOf(entry.state), registry: { verifiesOrigins } }
    },
  }
}
