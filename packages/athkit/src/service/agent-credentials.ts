import type { Json, JsonObject } from '../crypto/json.ts'
import type { DidDocument } from '../did/document.ts'
import { createStatusLists, type StatusLists } from '../did/status-lists.ts'
import { claimsThatCount, issuerOf, typesOf, verifyClientCredential } from '../did/vc.ts'
import { guardedFetch } from '../did-node/guarded-fetch.ts'
import { HandshakeError, refuse } from '../errors.ts'
import { infoInCredential } from './client-info.ts'
import type { ServiceContext } from './context.ts'
import type { AgentCredentials } from './options.ts'

/** `agentCredentials` of the options, and what is remembered of status lists. */
export interface CredentialPolicy extends Omit<AgentCredentials, 'fetch'> {
  readonly statusLists: StatusLists
}

export function credentialPolicy(
  given: AgentCredentials | undefined,
  now: () => number,
): CredentialPolicy | undefined {
  if (given === undefined) return undefined
  const { fetch = guardedFetch(), ...policy } = given
  return { ...policy, statusLists: createStatusLists({ fetch, now }) }
}

/**
 * The credentials of third parties in m3 (ATH-6.1.6): each of a configured type was issued by somebody the operator trusts, about this
 * client, holds now and was not taken back; and none that is required is missing. What is of no such type is ignored.
 *
 * @returns `name` and `developer` of the agent as they say, the first counting
 * @throws HandshakeError `credential_invalid`; `resolver_unavailable` when an issuer or a status cannot be found out about
 */
export async function checkAgentCredentials(
  context: ServiceContext,
  clientDid: string,
  credentials: readonly unknown[],
): Promise<JsonObject> {
  const policy = context.agentCredentials
  if (policy === undefined) return {}
  let info: JsonObject = {}
  const shown = new Set<string>()
  for (const credential of credentials as readonly Json[]) {
    const claims = claimsThatCount(credential, policy.types)
    if (claims === undefined) continue
    await verifyOne(context, policy, { credential, issuer: issuerOf(claims), clientDid })
    for (const type of typesOf(claims)) shown.add(type)
    info = { ...infoInCredential(claims), ...info }
  }
  checkRequired(policy, shown)
  return info
}

interface Shown {
  readonly credential: Json
  /** As the credential says, unverified. */
  readonly issuer: string | undefined
  readonly clientDid: string
}

async function verifyOne(
  context: ServiceContext,
  { types, issuers, statusLists }: CredentialPolicy,
  { credential, issuer, clientDid }: Shown,
): Promise<void> {
  async function verify(document: DidDocument | undefined): Promise<void> {
    const trusted = new Map(document === undefined ? [] : [[document.id, document]])
    const claims = await verifyClientCredential(credential, {
      issuers: trusted,
      types,
      clientDid,
      now: context.now(),
    })
    if (claims !== undefined && document !== undefined) await statusLists.check(claims, document)
  }

  // Nobody's document is fetched but that of an issuer whom the operator named.
  if (issuer === undefined || !issuers.includes(issuer)) return verify(undefined)
  const document = await issuerDocument(context, issuer, false)
  try {
    await verify(document)
  } catch (error) {
    if (!(error instanceof HandshakeError) || error.error !== 'credential_invalid') throw error
    // The issuer may have exchanged its key since its document was read: it is read anew, once a minute (ATH-4.4).
    const current = await issuerDocument(context, issuer, true)
    if (current === document) throw error
    await verify(current)
  }
}

/** undefined for an issuer who does not resolve, or is deactivated: nobody trusts it any more. @throws HandshakeError `resolver_unavailable` */
async function issuerDocument(
  { resolver }: ServiceContext,
  did: string,
  fresh: boolean,
): Promise<DidDocument | undefined> {
  try {
    const { document, deactivated } = await resolver.resolve(did, { fresh })
    return deactivated === true ? undefined : document
  } catch (error) {
    if (error instanceof HandshakeError && error.code === 401) return undefined
    throw error
  }
}

function checkRequired({ types, required = false }: CredentialPolicy, shown: ReadonlySet<string>): void {
  const isMet =
    typeof required === 'boolean'
      ? !required || types.some((type) => shown.has(type))
      : required.every((type) => shown.has(type))
  if (isMet) return
  throw refuse('credential_invalid', 'a credential that is required is missing', {
    rule: 'ATH-6.1.6',
    step: 'm3',
  })
}
