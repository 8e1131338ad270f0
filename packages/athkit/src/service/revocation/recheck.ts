import { parseDid } from '../../did/did.ts'
import { HandshakeError } from '../../errors.ts'
import { abortable } from '../../net/time.ts'
import type { ServiceContext } from '../context.ts'
import type { GrantRow } from '../rows.ts'
import { endGrantsOf } from './party.ts'

/**
 * A deactivated DID ends its party's grants (ATH-8), and nobody tells a service that one was. So the parties of the grants that are used
 * here are looked up again while they are: none is used for longer than a document may be cached (ATH-4.4).
 *
 * Before that time is over it is done beside the requests. Only the first request after a pause waits for it, and no longer than
 * {@link WAIT_MS}: while nobody can say what became of a DID, what was granted stands.
 */
const DUE_SECONDS = 180
const OVERDUE_SECONDS = 240
/** What was found out for a handshake just now is good enough: with it, none is used for longer than 300 s. */
const MAX_AGE_SECONDS = 60
/** After one that could not be looked up. */
const AGAIN_SECONDS = 30
const WAIT_MS = 2000
const MOST_KNOWN = 10_000

interface Look {
  /** Unix seconds. */
  readonly at: number
  readonly running?: Promise<void>
  readonly isDeactivated?: boolean
}

const looks = new WeakMap<ServiceContext, Map<string, Look>>()

function looksOf(context: ServiceContext): Map<string, Look> {
  const known = looks.get(context) ?? new Map<string, Look>()
  looks.set(context, known)
  return known
}

function keep(context: ServiceContext, did: string, look: Look): void {
  const known = looksOf(context)
  if (known.size >= MOST_KNOWN && !known.has(did)) known.delete(known.keys().next().value as string)
  known.set(did, look)
}

/** @returns what the caller has to wait for; undefined, at once, nearly always */
export function recheckParties(
  context: ServiceContext,
  { clientDid, userDid }: Pick<GrantRow, 'clientDid' | 'userDid'>,
): Promise<void> | undefined {
  const [client, user] = [recheck(context, clientDid), recheck(context, userDid)]
  if (client === undefined && user === undefined) return undefined
  return abortable(Promise.all([client, user]), AbortSignal.timeout(WAIT_MS)).then(
    () => undefined,
    () => undefined,
  )
}

function recheck(context: ServiceContext, did: string): Promise<void> | undefined {
  const known = looksOf(context).get(did)
  // A key form cannot be deactivated: it is known once, for as long as this process lives.
  const at = known?.at ?? (parseDid(did).form === 'key' ? Number.POSITIVE_INFINITY : 0)
  if (at === Number.POSITIVE_INFINITY) {
    if (known === undefined) keep(context, did, { at })
    return undefined
  }
  const age = context.now() - at
  if (age < DUE_SECONDS) return undefined
  const running = known?.running ?? look(context, did)
  if (known?.running === undefined) keep(context, did, { ...known, at, running })
  return age < OVERDUE_SECONDS ? undefined : running
}

async function look(context: ServiceContext, did: string): Promise<void> {
  let isKnown = false
  try {
    const { deactivated } = await context.resolver.resolve(did, { maxAgeSeconds: MAX_AGE_SECONDS })
    if (deactivated === true) return await endDeactivated(context, did)
    isKnown = true
  } catch (cause) {
    // Out of reach, or not found any more: neither says that it was deactivated.
    if (!(cause instanceof HandshakeError))
      context.emit({ type: 'failed', where: 'looking a party up again', cause })
  }
  keep(context, did, { at: context.now() - (isKnown ? 0 : DUE_SECONDS - AGAIN_SECONDS) })
}

/** Whoever finds a DID deactivated ends its grants, once in three minutes: a stranger may name it again and again. */
export async function endDeactivated(context: ServiceContext, did: string): Promise<void> {
  const known = looksOf(context).get(did)
  const now = context.now()
  if (known?.isDeactivated === true && now - known.at < DUE_SECONDS) return
  await endGrantsOf(context, did, 'the DID was deactivated')
  keep(context, did, { at: now, isDeactivated: true })
}
