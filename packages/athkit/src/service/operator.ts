import { createAudit } from '../audit/index.ts'
import type { GrantsListing } from '../messages/grants.ts'
import type { Store } from '../store/store.ts'
import { type Agents, createAgents } from './agents/agents.ts'
import { giveBackUnsettled, type Pair, type Unsettled, unsettledOf } from './budget/index.ts'
import type { Bookkeeping } from './context.ts'
import type { ServiceEvent } from './events.ts'
import {
  endGrantsOf,
  finishCascades,
  listGrants,
  revokeGrant,
  revokeUserCredential,
} from './revocation/index.ts'

/** What an operator can do to a service from outside its processes, on its store alone. */
export interface Operator {
  readonly agents: Agents
  /** A user's live grants with their last use, as `GET {grants_endpoint}` lists them. */
  grantsOf(userDid: string): Promise<GrantsListing>
  /** @returns whether there was such a grant */
  revokeGrant(grantId: string, reason: string): Promise<boolean>
  /** A user's credential and every grant made from it. @returns how many grants it ended */
  revokeCredential(userDid: string, credentialId: string, reason: string): Promise<number>
  /** A DID was deactivated: so are its party's grants, be it a user or an agent (ATH-8). @returns how many */
  endGrantsOf(did: string, reason: string): Promise<number>
  /** What an agent has reserved of a user's budgets in requests whose outcome is not known; it stays counted until its period ends. */
  unsettled(pair: Pair): Promise<readonly Unsettled[]>
  /** The operator has looked, and nothing came of the request. @returns false where there is no such reservation (any more) */
  giveBack(pair: Pair, id: string): Promise<boolean>
  /** Finishes what a process that died had begun to revoke; services do it by themselves now and then. @returns how many */
  finishRevocations(): Promise<number>
}

export interface OperatorOptions {
  readonly store: Store
  /** For the record: who decides. `operator`. */
  readonly by?: string
  readonly onEvent?: (event: ServiceEvent) => void
  /** Unix seconds. */
  readonly now?: () => number
}

/** {@link Operator}, with what it does written down in a chain of its own (ATH-10). */
export interface OperatorTool extends Operator {
  /** Gives what was written down its place; a service on the same store does it as well, a little later. */
  close(): Promise<void>
}

export function createOperator({ store, by, onEvent, now }: OperatorOptions): OperatorTool {
  const clock = now ?? (() => Math.floor(Date.now() / 1000))
  const emit = onEvent ?? (() => undefined)
  const failed = (cause: unknown) => emit({ type: 'failed', where: 'audit', cause })
  const audit = createAudit({ store, signer: undefined, now: clock, failed })
  const context = {
    store,
    audit,
    now: clock,
    emit,
    // Whoever still sends under it is another process, and looks.
    grantEnded: () => undefined,
  }
  return { ...operatorOf(context, by ?? 'operator'), close: () => audit.close() }
}

export const operatorOf = (context: Bookkeeping, by: string): Operator => ({
  agents: createAgents(context, by),
  grantsOf: (userDid) => listGrants(context, userDid),
  revokeGrant: (grantId, reason) => revokeGrant(context, grantId, { by, reason }),
  revokeCredential: (userDid, credentialId, reason) =>
    revokeUserCredential(context, userDid, credentialId, { by, reason }),
  endGrantsOf: (did, reason) => endGrantsOf(context, did, reason),
  unsettled: (pair) => unsettledOf(context, pair),
  giveBack: (pair, id) => giveBackUnsettled(context, pair, id, by),
  finishRevocations: () => finishCascades(context),
})
