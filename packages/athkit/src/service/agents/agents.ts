import { parseDid } from '../../did/did.ts'
import { HandshakeError } from '../../errors.ts'
import type { Bookkeeping } from '../context.ts'
import { LONGEST_DID } from '../parties.ts'
import { endGrantsOfSuspended } from '../revocation/agent.ts'
import { throughout } from '../revocation/cascade.ts'
import { type ApprovalState, approvalOf, decide, type ListedAgent, listAgents } from './approvals.ts'

/** What the operator says about agents. It lies in the store, and holds on every node from the next step of a handshake on. */
export interface Agents {
  /** In the order of their DIDs, at most a thousand of each state. */
  list(state?: ApprovalState): Promise<readonly ListedAgent[]>
  find(did: string): Promise<ListedAgent | undefined>
  /** Lets an agent in, also one that has not come yet, or was suspended. @throws TypeError for what is no DID */
  approve(did: string, note?: string): Promise<void>
  /**
   * Shuts an agent out: its grants end at once, on every node, with their open streams, and so do its handshakes. Approving it again
   * brings no grant back.
   *
   * @returns how many grants it ended
   * @throws TypeError for what is no DID
   */
  suspend(did: string, reason: string): Promise<number>
}

/** @param by for the record: who decides */
export function createAgents(context: Bookkeeping, by: string): Agents {
  return {
    list: (state) => listAgents(context, state),
    async find(did) {
      const row = await approvalOf(context, checked(did))
      return row === undefined ? undefined : { did, ...row }
    },
    approve: async (did, note = '') => decide(context, checked(did), { state: 'approved', by, note }),
    async suspend(did, reason) {
      const cascade = { kind: 'agent', did: checked(did), by, reason } as const
      return throughout(context, cascade, async () => {
        await decide(context, did, { state: 'suspended', by, note: reason })
        return endGrantsOfSuspended(context, cascade)
      })
    },
  }
}

function checked(did: string): string {
  try {
    if (did.length <= LONGEST_DID && parseDid(did).did === did) return did
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
  }
  throw new TypeError(`${JSON.stringify(did)} is no DID; give the agent's, such as did:ath:zDn…`)
}
