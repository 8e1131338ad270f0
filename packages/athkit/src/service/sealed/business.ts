import { toBase64url } from '../../crypto/bytes.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import type { RequestHead } from '../../session/head.ts'
import type { AccessTokenClaims } from '../../token/access-token.ts'
import { createSpending, type Spending } from '../budget/index.ts'
import type { ServiceContext } from '../context.ts'
import type { GrantRow } from '../rows.ts'
import { type Admitted, admit } from './admit.ts'
import { type Answer, keptAnswer } from './answer.ts'
import { hashOfBody, noLonger, readWhole } from './body.ts'
import { dispatch, type InnerBody } from './dispatch.ts'
import {
  type Claim,
  claimOf,
  conflict,
  enterClaim,
  finishClaim,
  idempotencyKeyOf,
  isKept,
  releaseClaim,
} from './idempotency.ts'
import { type Inner, refusalOnly } from './inner.ts'
import { keepAnswer } from './keep.ts'
import type { Received } from './receive.ts'
import { type StreamedBody, streamedBody } from './streamed-body.ts'

export interface Exchange {
  readonly received: Received
  readonly inner: Inner
  readonly address: string
  /** Aborted when the client goes away; made when somebody asks for it. */
  readonly signal: () => AbortSignal
}

/**
 * A business request. Where its body is whole in record 0, as nearly all are, everything that needs the store is one round trip;
 * where it goes on, the request is marked and judged before the rest is read.
 *
 * @throws HandshakeError
 */
export async function serveBusiness(context: ServiceContext, exchange: Exchange): Promise<Answer> {
  const { received, inner } = exchange
  const { head } = inner
  if (head === undefined || inner.fault !== undefined || inner.token instanceof HandshakeError) {
    return refused(context, exchange, inner.fault)
  }
  const isStreamed = context.streamingRoutes?.(head.method, pathOnly(head.path)) === true
  const isLong = isStreamed || !received.exchange.single
  let key: string | undefined
  let body: Uint8Array | undefined
  try {
    key = idempotencyKeyOf(head.headers)
    if (!isLong) body = noLonger(await received.exchange.whole(), context.limits.bodyBytes)
  } catch (error) {
    return refused(context, exchange, refusalOnly(error))
  }
  if (body === undefined) return serveLong(context, exchange, head, key, isStreamed)
  const claim = await claimFor(context, received, head, key, body)
  const admitted = await admit(context, candidate(exchange, inner.fault, claim))
  if (admitted.kept !== undefined) return keptAnswer(admitted.kept)
  return run(context, exchange, head, body, admitted)
}

/** It is used up and counted all the same: record 0 has opened. */
async function refused(
  context: ServiceContext,
  exchange: Exchange,
  fault: HandshakeError | undefined,
): Promise<never> {
  await admit(context, candidate(exchange, fault, undefined))
  throw refuse('internal', 'a request at fault was admitted')
}

const candidate = (
  { received: { known, epoch, seq }, inner: { token }, address }: Exchange,
  fault: HandshakeError | undefined,
  claim: Claim | undefined,
) => ({ known, epoch, seq, own: undefined, token, fault, claim, address })

async function claimFor(
  context: ServiceContext,
  { known }: Received,
  { method, path }: RequestHead,
  idempotencyKey: string | undefined,
  body: Uint8Array | undefined,
): Promise<Claim | undefined> {
  if (idempotencyKey === undefined) return undefined
  const bodyHash = body === undefined ? undefined : await hashOfBody(body)
  return claimOf(context, { audience: known.session.audience, idempotencyKey, method, path, bodyHash })
}

async function serveLong(
  context: ServiceContext,
  exchange: Exchange,
  head: RequestHead,
  key: string | undefined,
  isStreamed: boolean,
): Promise<Answer> {
  const { received } = exchange
  const admitted = await admit(context, candidate(exchange, undefined, undefined))
  const streamed = isStreamed ? streamedBody(received.exchange.body()) : undefined
  const body = streamed?.stream ?? (await readWhole(received.exchange.body(), context.limits.bodyBytes))
  const claim = await claimFor(context, received, head, key, body instanceof Uint8Array ? body : undefined)
  if (claim === undefined) return run(context, exchange, head, body, admitted, streamed)
  const scopes = admitted.claims.scope.split(' ')
  const settled = await enterClaim(context, received.known.partition, claim, scopes)
  if (!isKept(settled)) return run(context, exchange, head, body, { ...admitted, held: settled }, streamed)
  if (settled.bodyHash === undefined) return keptAnswer(settled)
  // A body that streamed could not be compared before it was read.
  const hash = streamed === undefined ? undefined : toBase64url(await streamed.hash())
  if (hash !== settled.bodyHash) throw conflict()
  return keptAnswer(settled)
}

const pathOnly = (path: string): string => path.split('?', 1)[0] ?? path

async function run(
  context: ServiceContext,
  { received, signal }: Exchange,
  head: RequestHead,
  body: InnerBody,
  { claims, held }: Admitted,
  streamed?: StreamedBody,
): Promise<Answer> {
  const { grant, partition } = received.known
  const spending = spendingFor(context, partition, grant, claims)
  const own = held === undefined ? undefined : { ...held, spending }
  try {
    const dispatched = await dispatch(context, { head, body, grant, claims, signal, spending })
    if (own === undefined) {
      await settle(context, spending, dispatched.answer.status >= 400)
      return dispatched.answer
    }
    const hashing = streamed === undefined ? {} : { bodyHash: () => streamed.hash() }
    return await keepAnswer({ context, partition, held: own, ...hashing }, dispatched)
  } catch (error) {
    // A refusal did nothing, and the key is free again; of anything else nobody knows what it did (ATH-7.7).
    const didNothing = error instanceof HandshakeError && (streamed === undefined || error.code === 403)
    if (own === undefined) await settle(context, spending, true)
    else if (didNothing) await releaseClaim(context, partition, own)
    else await finishClaim(context, partition, own, undefined, true)
    throw error
  }
}

/** undefined where the grant has no budget, as most have none. */
function spendingFor(
  context: ServiceContext,
  partition: string,
  grant: GrantRow,
  { restrictions }: AccessTokenClaims,
): Spending | undefined {
  const hasBudget =
    context.budgets.size > 0 && Object.keys(restrictions ?? {}).some((name) => context.budgets.has(name))
  return hasBudget ? createSpending(context, partition, grant) : undefined
}

/** A store that fails here leaves what was reserved counted: the answer is the handler's all the same. */
async function settle(
  context: ServiceContext,
  spending: Spending | undefined,
  failed: boolean,
): Promise<void> {
  try {
    await spending?.settle(failed)
  } catch (cause) {
    context.emit({ type: 'failed', where: 'settling a budget', cause })
  }
}
