import { toBase64url } from '../../crypto/bytes.ts'
import { hash } from '../../crypto/jcs.ts'
import { refuse } from '../../errors.ts'
import type { Operation, Put, PutResult, Row } from '../../store/store.ts'
import type { Spending } from '../budget/index.ts'
import type { ServiceContext } from '../context.ts'
import { forsakeClaim } from './forsaken.ts'
import { nodeState } from './state.ts'

/** ATH-7.7. */
const KEPT_SECONDS = 86_400
const LONGEST_KEY = 255

/** An answer of the application as it was given, or its status alone where it was too long to keep. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  /** base64url; absent where only the status was kept. */
  readonly body?: string
  /** Of the request, base64url, where it was not known when the key was entered: the same request has the same. */
  readonly bodyHash?: string
}

/** Row `idempotency:H` of a pair. */
interface IdempotencyRow {
  /** Method, path with query, and body: what the key is bound to. */
  readonly request: string
  /** `lost`: nobody knows what became of it. */
  readonly state: 'running' | 'done' | 'lost'
  /** The process that runs it, and which of its runs it is. */
  readonly instance: string
  readonly run: number
  /** What the handler asked of the grant; asked again before its answer is given again. */
  readonly scopes?: readonly string[]
  readonly answer?: KeptAnswer
}

/** A request under an `Idempotency-Key`, about to be entered. */
export interface Claim {
  readonly key: string
  readonly request: string
  readonly run: number
  readonly expiresAt: number
}

/** The key's row is this request's own: its handler runs, and the row says so. */
export interface HeldClaim extends Claim {
  readonly version: number
  /** What the handler has reserved from budgets: settled in the transaction that ends the claim. */
  readonly spending?: Spending | undefined
}

export interface ClaimedRequest {
  readonly audience: string
  readonly idempotencyKey: string
  readonly method: string
  /** With its query. */
  readonly path: string
  /** undefined: the body streams, and is compared with the kept answer's. */
  readonly bodyHash: Uint8Array | undefined
}

/**
 * The `Idempotency-Key` of a request, if it has one.
 *
 * @throws HandshakeError `malformed_message` when there are two, or one is empty or too long
 */
export function idempotencyKeyOf(
  headers: readonly (readonly [name: string, value: string])[],
): string | undefined {
  let key: string | undefined
  for (const [name, value] of headers) {
    if (name.length !== 15 || name.toLowerCase() !== 'idempotency-key') continue
    if (key !== undefined || value === '' || value.length > LONGEST_KEY) {
      throw refuse('malformed_message', 'not one Idempotency-Key of 1 to 255 characters', { rule: 'ATH-7.7' })
    }
    key = value
  }
  return key
}

export async function claimOf(context: ServiceContext, request: ClaimedRequest): Promise<Claim> {
  const { audience, idempotencyKey, method, path, bodyHash } = request
  const key = `idempotency:${await hash([audience, idempotencyKey])}`
  const bound = await hash([method, path, bodyHash === undefined ? null : toBase64url(bodyHash)])
  await nodeState(context).liveness.ensure()
  return { key, request: bound, run: startRun(context), expiresAt: context.now() + KEPT_SECONDS }
}

/** Counted as running before the row says so: whoever reads the row finds it. */
function startRun(context: ServiceContext): number {
  const { running, nextRun } = nodeState(context)
  const run = nextRun()
  running.add(run)
  return run
}

/** A claim that came to nothing: it was not entered, or somebody else's was there. */
export const dropClaim = (context: ServiceContext, claim: Claim): boolean =>
  nodeState(context).running.delete(claim.run)

/** Enters a claim by itself, once a body that came in several records is whole. */
export async function enterClaim(
  context: ServiceContext,
  partition: string,
  claim: Claim,
  scopes: readonly string[],
): Promise<HeldClaim | KeptAnswer> {
  let result: PutResult
  try {
    const operations = [claimOperation(context, claim)] as const
    const { results } = await context.store.transact(partition, operations, context.now())
    result = results[0] as PutResult
  } catch (error) {
    forsakeClaim(context, partition, claim)
    throw error
  }
  try {
    return await settleClaim(context, claim, result, scopes)
  } catch (error) {
    dropClaim(context, claim)
    throw error
  }
}

/** The operation that enters it, for the request's one transaction: exactly one of many stores it. */
export function claimOperation(context: ServiceContext, claim: Claim): Put {
  const { instance } = nodeState(context)
  const { request, run } = claim
  const row: IdempotencyRow = { request, state: 'running', instance, run }
  const value = JSON.stringify(row)
  return { op: 'put', key: claim.key, value, if: 'absent', expiresAt: claim.expiresAt, onRefusal: 'continue' }
}

/**
 * What the transaction said of the claim: this request runs the handler, or there is an answer to give again.
 *
 * @param scopes those of the token, which the kept answer needs anew
 * @throws HandshakeError `idempotency_conflict`, `in_progress`, `outcome_unknown`, `scope_denied`
 */
export async function settleClaim(
  context: ServiceContext,
  claim: Claim,
  result: PutResult,
  scopes: readonly string[],
): Promise<HeldClaim | KeptAnswer> {
  if (result.stored && result.row !== undefined) return { ...claim, version: result.row.version }
  dropClaim(context, claim)
  const row = JSON.parse((result.row as Row).value) as IdempotencyRow
  if (row.request !== claim.request) throw conflict()
  if (row.state === 'running') throw await runningOrLost(context, row)
  if (row.answer === undefined) throw refused('outcome_unknown', 'the handler broke off')
  const missing = (row.scopes ?? []).find((scope) => !scopes.includes(scope))
  if (missing !== undefined)
    throw refuse('scope_denied', `${missing} is outside the grant`, { rule: 'ATH-7.7' })
  return row.answer
}

async function runningOrLost(context: ServiceContext, row: IdempotencyRow) {
  const { instance, running, liveness } = nodeState(context)
  const runs = row.instance === instance ? running.has(row.run) : await liveness.isAlive(row.instance)
  return runs
    ? refused('in_progress', 'the first copy still runs')
    : refused('outcome_unknown', 'the process that ran it is gone')
}

export const isKept = (settled: HeldClaim | KeptAnswer): settled is KeptAnswer => 'status' in settled

/** What is not the handler's answer, or says to come again, is not kept (ATH-7.7). */
export const isKeepable = (status: number): boolean => status !== 429 && status !== 503

/**
 * The end of the handler's run: its answer is kept, or with `undefined` that nobody knows what it did. A store that fails here
 * leaves the row as it is, which says the same once this process no longer runs it.
 *
 * @param failed it answered with 400 or more, or threw
 */
export async function finishClaim(
  context: ServiceContext,
  partition: string,
  held: HeldClaim,
  done: { readonly answer: KeptAnswer; readonly scopes: readonly string[] } | undefined,
  failed: boolean,
): Promise<void> {
  const { instance, running } = nodeState(context)
  const { key, request, run, expiresAt, version } = held
  const state = done === undefined ? 'lost' : 'done'
  const row: IdempotencyRow = { request, instance, run, state, ...done }
  const value = JSON.stringify(row)
  try {
    await end(context, partition, held, failed, { op: 'put', key, value, if: version, expiresAt, ...ALONE })
  } catch (cause) {
    context.emit({ type: 'failed', where: 'keeping an answer', cause })
  } finally {
    running.delete(run)
  }
}

/** A claim that is somebody else's by now keeps no budget from being settled. */
const ALONE = { onRefusal: 'continue' } as const

async function end(
  context: ServiceContext,
  partition: string,
  { spending }: HeldClaim,
  failed: boolean,
  operation: Operation,
): Promise<void> {
  if (spending === undefined) await context.store.transact(partition, [operation], context.now())
  else await spending.settle(failed, [operation])
}

/** The request was refused before or instead of an answer: the key is free again, and nothing was spent. */
export async function releaseClaim(
  context: ServiceContext,
  partition: string,
  held: HeldClaim,
): Promise<void> {
  try {
    const { key, version } = held
    await end(context, partition, held, true, { op: 'delete', key, if: version, ...ALONE })
  } catch (cause) {
    context.emit({ type: 'failed', where: 'releasing an Idempotency-Key', cause })
  } finally {
    dropClaim(context, held)
  }
}

export const conflict = () => refused('idempotency_conflict', 'the key is of another request')

const refused = (error: 'idempotency_conflict' | 'in_progress' | 'outcome_unknown', reason: string) =>
  refuse(error, reason, { rule: 'ATH-7.7' })
