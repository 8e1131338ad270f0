import type { Json } from '../../crypto/json.ts'
import { randomId } from '../../crypto/random.ts'
import { AthError, type HandshakeError, refuse } from '../../errors.ts'
import type { Operation } from '../../store/store.ts'
import type { ServiceContext } from '../context.ts'
import type { GrantRow } from '../rows.ts'
import { nodeState } from '../sealed/state.ts'
import { amountOf, type Budget, thousandths } from './budget.ts'
import { type Entry, keysOf, ledgerAt, type Short, shortOf, spend } from './ledger.ts'
import { keptUntil, ledgerRows } from './ledger-rows.ts'
import { endOf, periodsAt } from './periods.ts'
import { contended, type HoldRow, holdKey, refund } from './refund.ts'

/**
 * What one request spends under its grant's budgets.
 *
 * Reserving counts an amount at once, in the one row that all orders of the pair contend for, and writes down beside it, in row
 * `hold:ID`, that its outcome is open. Committing removes that row and touches nothing else, so it never waits for another order;
 * a refund takes it, which one caller alone can, and the amount with it. A process that dies in between leaves an amount that is
 * counted: nobody knows what its handler did (ATH-7.7), and the budget is not what bears the doubt. It ends with its period.
 */
export interface Spending {
  /**
   * Before the handler. One round trip; another where this node was not the last to write.
   *
   * @throws HandshakeError `restriction_violated`, `store_unavailable`
   */
  reserve(name: string, budget: Budget, limit: Json, amount: unknown): Promise<void>
  /** From here on it counts, whatever the answer will be. */
  commit(): void
  /**
   * After the handler, with what else is written then, in one transaction.
   *
   * @param failed the handler refused or failed: what was reserved is given back, unless it was committed before
   * @throws AthError `store_unavailable`: what was reserved may stay counted
   */
  settle(failed: boolean, others?: readonly Operation[]): Promise<void>
}

const RULE = 'ATH-6.4.3'
const MOST_TRIES = 100

export function createSpending(context: ServiceContext, partition: string, grant: GrantRow): Spending {
  const { ledgers, ledgerQueue } = nodeState(context)
  const rows = ledgerRows(context, partition, ledgers)
  const id = randomId()
  let entries: readonly Entry[] = []
  let isCommitted = false

  async function reserve(name: string, budget: Budget, limit: Json, amount: unknown): Promise<void> {
    const counted = thousandths(amount)
    const limits = budget.limitsOf(limit)
    if (counted === undefined || limits === undefined) throw uncountable(name)
    if (counted === 0) return
    let isFresh = false
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const ledger = ledgerAt(rows.known(name), periodsAt(budget.zone, context.now()))
      const short = shortOf(ledger, limits, counted)
      if (short !== undefined && isFresh) throw violated(context, name, budget, short)
      // Another node may have given something back.
      if (short !== undefined) await rows.read(name)
      else if (await write({ name, amount: counted, keys: keysOf(ledger) }, spend(ledger, counted))) return
      isFresh = true
    }
    throw contended()
  }

  async function write(entry: Entry, ledger: ReturnType<typeof spend>): Promise<boolean> {
    const before = entries
    const held = [...before, entry]
    const hold: HoldRow = { entries: held, grantId: grant.id, at: context.now() }
    const operations = [
      rows.put(entry.name, ledger),
      { op: 'put', key: holdKey(id), value: JSON.stringify(hold), expiresAt: keptUntil(context) },
    ] as const
    // Noted before it is written: where the store does not say whether it was, settling finds out.
    entries = held
    const { outcome, results } = await context.store.transact(partition, operations, context.now())
    rows.remember(entry.name, results[0]?.row)
    if (outcome !== 'done') entries = before
    return outcome === 'done'
  }

  return {
    reserve: (name, budget, limit, amount) =>
      ledgerQueue(`${partition} ${name}`, () => asRefusal(() => reserve(name, budget, limit, amount))),
    commit() {
      isCommitted = true
    },
    async settle(failed, others = []) {
      const isRefund = failed && !isCommitted
      const [first] = entries
      const commits = first === undefined ? others : [...others, { op: 'delete', key: holdKey(id) } as const]
      if (isRefund && first !== undefined)
        await ledgerQueue(`${partition} ${first.name}`, () =>
          refund(context, partition, rows, { id, entries }, others),
        )
      else if (commits.length > 0) await context.store.transact(partition, commits, context.now())
      const { id: grantId, clientDid, userDid } = grant
      const outcome = isRefund ? 'refunded' : 'committed'
      for (const { name: restriction, amount } of entries) {
        context.emit({
          type: 'spent',
          restriction,
          amount: amount / 1000,
          outcome,
          grantId,
          clientDid,
          userDid,
        })
      }
      entries = []
    },
  }
}

function violated(
  context: ServiceContext,
  name: string,
  { zone }: Budget,
  { limit, spent, left }: Short,
): HandshakeError {
  const until = new Date(endOf(limit.period, zone, context.now()) * 1000).toISOString().replace('.000', '')
  const hint = `${name}: ${amountOf(spent)} of ${amountOf(limit.amount)} spent, ${amountOf(left)} remains until ${until}.`
  return refuse('restriction_violated', `${name} of the grant is exhausted`, { rule: RULE, hint })
}

const uncountable = (name: string) =>
  refuse('restriction_violated', `${name}: an amount or a limit that cannot be counted`, { rule: RULE })

/** Middleware answers refusals: a store that is out of reach is one to the client. */
async function asRefusal(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!(cause instanceof AthError) || cause.trouble !== 'store_unavailable') throw cause
    throw refuse('store_unavailable', 'the budget could not be reserved', { rule: RULE, cause })
  }
}
