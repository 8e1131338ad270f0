import { canonicalize } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { ServiceContext } from './context.ts'
import { handshakeRows } from './handshake-rows.ts'
import type { HandshakeState, Taken } from './handshake-state.ts'

/** Refusals of m9a that are remembered: a client has few reasons to be refused at all. */
const MOST_REFUSED = 4

/** The message that was taken before and is the same as this one, by their canonical form (ATH-3.5). */
export function takenBefore(state: HandshakeState, message: JsonObject): Taken | undefined {
  const candidates = candidatesOf(state, message.type)
  if (candidates.length === 0) return undefined
  const text = canonicalize(message)
  return candidates.find((taken) => canonicalize(taken.message) === text)
}

function candidatesOf(state: HandshakeState, type: JsonObject[string]): readonly Taken[] {
  switch (type) {
    case 'identity_proof':
      return present(state.m3)
    case 'scope_request':
      return present(state.m5)
    case 'key_exchange':
      return [...present(state.m9a), ...(state.refused ?? [])]
    default:
      return []
  }
}

const present = (taken: Taken | undefined): readonly Taken[] => (taken === undefined ? [] : [taken])

/** Of what the last step refused, the latest. */
export const withRefused = (state: HandshakeState, taken: Taken): HandshakeState => ({
  ...state,
  refused: [...(state.refused ?? []), taken].slice(-MOST_REFUSED),
})

/**
 * Whether the receipt of m9b, which holds a token, is no more: erased, or its session lapsed before anybody used it (ATH-3.5).
 */
export function tokenReceiptIsGone(state: HandshakeState, now: number): boolean {
  if (state.phase !== 'complete') return false
  const { completion } = state
  return completion === undefined || completion.grant.provisionalUntil <= now
}

/** Erases what holds the token, and the secrets beside it: the session has them now, or has ended. */
export async function eraseReceipt(context: ServiceContext, handshakeId: string): Promise<void> {
  const rows = handshakeRows(context)
  for (;;) {
    const loaded = await rows.load(handshakeId)
    if (loaded === undefined || loaded.state.completion === undefined) return
    const { completion: _, m9a, ...rest } = loaded.state
    const erased = { ...rest, ...(m9a === undefined ? {} : { m9a: { message: m9a.message } }) }
    if (await rows.save({ ...erased, advancedAt: context.now() }, loaded.version)) return
  }
}
