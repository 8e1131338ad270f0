import { HandshakeError, refuse } from '../../errors.ts'
import { DISCOVERY_PATH } from '../../messages/discovery.ts'
import { splitHead } from '../../session/exchange.ts'
import { checkHeadTimestamp, isOwnPath, type RequestHead, readRequestHead } from '../../session/head.ts'
import type { AccessTokenClaims } from '../../token/access-token.ts'
import type { ServiceContext } from '../context.ts'
import type { Received } from './receive.ts'
import { presentedToken } from './tokens.ts'

/** The session's own paths (ATH-7.9, ATH-7.10). */
export type OwnPath = 'keys' | 'token' | 'end'

/** What record 0 says. What is wrong with it is found here and judged once the sequence number is used up (ATH-7.6). */
export interface Inner {
  /** undefined where it is none; `fault` says why. */
  readonly head: RequestHead | undefined
  readonly own: OwnPath | undefined
  readonly fault: HandshakeError | undefined
  readonly token: AccessTokenClaims | HandshakeError
}

export async function readInner(context: ServiceContext, received: Received): Promise<Inner> {
  let head: RequestHead | undefined
  let fault: HandshakeError | undefined
  try {
    head = readRequestHead(splitHead(received.exchange.record0).head, endpointsOf(context))
    checkHeadTimestamp(head, context.now())
  } catch (error) {
    fault = refusalOnly(error)
  }
  if (head === undefined) return { head, own: undefined, fault, token: noToken() }
  const own = isOwnPath(head) ? OWN.get(head.path) : undefined
  return { head, own, fault, token: await tokenOf(context, received, head, own) }
}

const OWN = new Map<string, OwnPath>([
  ['/ath/session/keys', 'keys'],
  ['/ath/session/token', 'token'],
  ['/ath/session', 'end'],
])

const paths = new WeakMap<ServiceContext, readonly string[]>()

/** The discovery document stands in ATH-3.2 as well: it is fetched outside alone. */
function endpointsOf(context: ServiceContext): readonly string[] {
  const known = paths.get(context) ?? [...Object.values(context.endpoints), DISCOVERY_PATH]
  paths.set(context, known)
  return known
}

async function tokenOf(
  context: ServiceContext,
  { known }: Received,
  { headers }: RequestHead,
  own: OwnPath | undefined,
): Promise<AccessTokenClaims | HandshakeError> {
  try {
    return await presentedToken(context, known, headers, own !== undefined)
  } catch (error) {
    return refusalOnly(error)
  }
}

/** What is no refusal is a bug, and not the request's fault. */
export function refusalOnly(error: unknown): HandshakeError {
  if (error instanceof HandshakeError) return error
  throw error
}

const noToken = () => refuse('token_invalid', 'no head to carry it', { rule: 'ATH-7.5' })
