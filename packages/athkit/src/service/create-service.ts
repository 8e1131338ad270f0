import { type Audit, chainPartition, createAudit } from '../audit/index.ts'
import type { Awaitable } from '../crypto/bytes.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { createResolver } from '../did/resolver.ts'
import type { ConfirmationRequest } from '../handshake/index.ts'
import { VERSIONS } from '../handshake/index.ts'
import { createDiscoveryDocument, type Endpoints } from '../messages/discovery.ts'
import type { GrantsListing } from '../messages/grants.ts'
import type { ConfirmationReceipt } from '../messages/inbox.ts'
import type { RevocationReceipt } from '../messages/revocation.ts'
import type { VerifiedWalletToken } from '../messages/wallet-token.ts'
import { createAdmission } from './admission.ts'
import { credentialPolicy } from './agent-credentials.ts'
import { receiveAnswer } from './answers.ts'
import { type Begun, begin } from './begin.ts'
import { walletInbox } from './channel.ts'
import { checkAll } from './check-all.ts'
import { checkLimits, checkTimeouts, checkTokenMaxTtl } from './check-numbers.ts'
import * as check from './check-options.ts'
import type { Caller, ServiceContext } from './context.ts'
import { createDraining, type Draining } from './drain.ts'
import { createEnrolments, type Enrolments } from './enrolment/enrolment.ts'
import type { ServiceEvent } from './events.ts'
import { bindEnforcers, budgetsOf } from './grant-of.ts'
import { createHandshakes, type Handshakes } from './handshakes.ts'
import { keepHouse } from './housekeeping.ts'
import { createHub } from './hub.ts'
import { authenticateWallet, pollInbox, streamInbox } from './inbox.ts'
import { logEvent } from './log.ts'
import { type Operator, operatorOf } from './operator.ts'
import type { LinkedUsers, ServiceOptions, Users } from './options.ts'
import { createPolicies, type Policy, type PolicyDocument } from './policy/index.ts'
import { type Readiness, readiness } from './ready.ts'
import { write } from './record.ts'
import { endLink, listGrants, receiveRevocation } from './revocation/index.ts'
import { handleSealed, type SealedBody, type SealedMessage } from './sealed/index.ts'
import { nodeState } from './sealed/state.ts'
import { createTelemetry, type Telemetry } from './telemetry/telemetry.ts'
import { traced } from './telemetry/traced.ts'

/**
 * A service that agents shake hands with. `createHandler` of `athkit/http` puts it on HTTP; nothing here knows about requests but
 * for the sealed ones, which are HTTP themselves.
 */
export interface Service extends Handshakes, Operator {
  readonly origins: readonly string[]
  readonly endpoints: Endpoints
  /** ATH-3.2. */
  readonly discovery: JsonObject
  /** m1. @throws HandshakeError */
  begin(message: Json, caller: Caller): Promise<Begun>
  /** m7. @throws HandshakeError */
  answer(requestId: string, message: Json): Promise<ConfirmationReceipt>
  /** `Authorization` of the inbox and the grants. @throws HandshakeError `token_invalid` */
  wallet(authorization: string | null): Promise<VerifiedWalletToken>
  inbox(
    wallet: VerifiedWalletToken,
    waitSeconds: number,
    signal?: AbortSignal,
  ): Promise<readonly ConfirmationRequest[]>
  questions(wallet: VerifiedWalletToken, signal: AbortSignal): AsyncGenerator<ConfirmationRequest>
  grants(wallet: VerifiedWalletToken): Promise<GrantsListing>
  /** ATH-8. @throws HandshakeError */
  revoke(message: Json): Promise<RevocationReceipt>
  /** A sealed request, answered sealed; what is refused before it opens is thrown. @throws HandshakeError */
  sealed(message: SealedMessage, caller: Caller): Promise<SealedBody>
  /** Where opened requests go: a fetch-like function, such as `app.fetch`. */
  setApplication(application: (request: Request) => Awaitable<Response>): void
  /** ATH-4.7; undefined where `users` can only be asked. */
  readonly enrolment: Enrolments | undefined
  /** A user's link to an account has ended elsewhere: so do the grants that were made under it. @returns how many */
  endLink(userDid: string, account: string): Promise<number>
  /** What this process writes down (ATH-10). */
  readonly audit: Audit
  /** Before anything else that is not sealed is looked at (ATH-4.4). @throws HandshakeError `rate_limited` */
  admit(caller: Caller): void
  /** Replaces the policy, for whatever is decided from now on. @throws TypeError for a wrong one: the one in force stays */
  reloadPolicy(policy: Policy | PolicyDocument): void
  /** For whoever sends requests here: whether the store answers in time, and this process is not being stopped. */
  ready(withinMs: number): Promise<Readiness>
  /** Before the process stops: see {@link Draining.drain}. */
  readonly drain: Draining['drain']
  emit(event: ServiceEvent): void
  /** Unix seconds. */
  now(): number
}

/**
 * @throws TypeError that says what to do, for every mistake in the configuration: it does not start without an origin (ATH-3.1), nor
 *   with a restriction that nobody enforces (ATH-6.4.3)
 */
export function createService(options: ServiceOptions): Service {
  let application: ServiceContext['application'] = () => new Response(null, { status: 404 })
  const context = contextOf(options, (request) => application(request))
  const warnings = warningsOf(options)
  for (const message of warnings) context.emit({ type: 'warning', message })
  const handshakes = createHandshakes(context)
  const draining = createDraining(context, keepHouse(context))
  const waited = <T>(
    signal: AbortSignal | undefined,
    work: (either: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const either = draining.waiting(signal)
    return draining.run(() => work(either.signal)).finally(either.done)
  }
  const discovery = createDiscoveryDocument({
    version: VERSIONS[0] ?? '',
    appId: context.appId,
    name: context.name,
    serverDid: context.identity.did,
    endpoints: context.endpoints,
    capabilities: context.capabilities,
    scopes: new Map([...context.scopes].map(([name, { description }]) => [name, description])),
  })
  return {
    advance: (id, messages, isArray) => draining.run(() => handshakes.advance(id, messages, isArray)),
    outcome: (id, waitSeconds, signal) =>
      waited(signal, (either) => handshakes.outcome(id, waitSeconds, either)),
    ...operatorOf(context, context.identity.did),
    origins: context.origins,
    endpoints: context.endpoints,
    discovery,
    async begin(message, caller) {
      draining.admitNew()
      return draining.run(() => traced(context, 'm1', () => begin(context, message, caller), CREATED))
    },
    answer: (requestId, message) =>
      draining.run(() => traced(context, 'm7', () => receiveAnswer(context, requestId, message), OK)),
    wallet: (authorization) => authenticateWallet(context, authorization),
    inbox: (wallet, waitSeconds, signal) =>
      waited(signal, (either) => pollInbox(context, wallet, waitSeconds, either)),
    questions: (wallet, signal) => {
      const either = draining.waiting(signal)
      return ended(streamInbox(context, wallet, either.signal), either.done)
    },
    grants: ({ userDid }) => listGrants(context, userDid),
    revoke: (message) => draining.run(() => receiveRevocation(context, message)),
    sealed: (message, caller) => draining.run(() => handleSealed(context, message, caller)),
    setApplication: (fetch) => {
      application = fetch
    },
    enrolment: areLinkedHere(options.users) ? createEnrolments(context, options.users) : undefined,
    endLink: (userDid, account) => endLink(context, userDid, account, 'unlinked'),
    audit: context.audit,
    admit: ({ address }) => context.admission.admitRequest(address),
    reloadPolicy: (policy) => context.policies.reload(policy),
    ready: (withinMs) => readiness(context, draining, withinMs),
    drain: draining.drain,
    emit: context.emit,
    now: context.now,
  }
}

/** A stream, and what to do when it is over, however that comes. */
async function* ended<T>(stream: AsyncGenerator<T>, done: () => void): AsyncGenerator<T> {
  try {
    yield* stream
  } finally {
    done()
  }
}

const CREATED = () => ({ status: 201 })
const OK = () => ({ status: 200 })

const areLinkedHere = (users: Users): users is LinkedUsers =>
  'link' in users && 'unlink' in users && 'linked' in users

function contextOf(options: ServiceOptions, application: ServiceContext['application']): ServiceContext {
  checkAll(options)
  const nowMs = options.clock ?? Date.now
  const now = () => Math.floor(nowMs() / 1000)
  const timeouts = checkTimeouts(options.timeouts)
  const limits = checkLimits(options.limits)
  const { identity, name, users, enforcers = new Map() } = options
  const telemetry = createTelemetry(options.telemetry)
  const store = telemetry?.timed(options.store) ?? options.store
  const tell = emitterOf(listenerOf(options, telemetry))
  const failed = (cause: unknown) => tell({ type: 'failed', where: 'audit', cause })
  const audit = createAudit({ store, signer: identity.signer, now, failed }, options.audit)
  const emit = (event: ServiceEvent): void => {
    tell(event)
    // Of the process and of no request: so nothing waits for its entry (ATH-10).
    if (event.type !== 'warning' && event.type !== 'policy_reloaded') return
    write({ audit, now }, chainPartition(audit.process), [], [event]).catch(failed)
  }
  const known = {
    scopes: check.checkScopes(options),
    restrictions: options.restrictions ?? {},
    enforced: check.checkRestrictions(options),
    budgets: budgetsOf(enforcers),
    emit,
  }
  const context: ServiceContext = {
    ...known,
    identity,
    serverKeys: [identity.signer.publicKey, ...(options.formerKeys ?? [])],
    origins: check.checkOrigins(options),
    endpoints: check.checkEndpoints(options.endpoints),
    capabilities: check.checkCapabilities(options),
    name,
    appId: options.appId ?? name,
    store,
    audit,
    telemetry,
    resolver: options.resolver ?? createResolver({ now }),
    users,
    channel: options.confirm ?? walletInbox(),
    policies: createPolicies(known, options.policy),
    clientInfo: options.clientInfo,
    agentCredentials: credentialPolicy(check.checkAgentCredentials(options), now),
    refusePlainNonces: options.refusePlainNonces === true,
    enforcers,
    tokenMaxTtl: checkTokenMaxTtl(options),
    timeouts,
    limits,
    admission: createAdmission(limits, timeouts.handshake, nowMs),
    hub: createHub(),
    now,
    nowMs,
    streamingRoutes: options.streamingRoutes,
    grantEnded: (grantId) => nodeState(context).streams.cut(grantId),
    application: (request) => {
      bindEnforcers(request, enforcers)
      return application(request)
    },
  }
  telemetry?.gaugeStreams(() => nodeState(context).streams.size)
  return context
}

function listenerOf(
  { logger, onEvent }: ServiceOptions,
  telemetry: Telemetry | undefined,
): (event: ServiceEvent) => void {
  const quiet = logger === undefined && onEvent === undefined
  return (event) => {
    telemetry?.count(event)
    if (quiet) toConsole(event)
    if (logger !== undefined) logEvent(logger, event)
    onEvent?.(event)
  }
}

/** An operator's function that throws stops nothing. */
function emitterOf(onEvent: (event: ServiceEvent) => void): (event: ServiceEvent) => void {
  return (event) => {
    try {
      onEvent(event)
    } catch (error) {
      console.error('athkit: onEvent threw', error)
    }
  }
}

/** Without `onEvent`, what nobody may miss. */
function toConsole(event: ServiceEvent): void {
  if (event.type === 'warning') console.warn(`athkit: ${event.message}`)
  if (event.type === 'failed') console.error(`athkit: ${event.where} failed`, event.cause)
}

function warningsOf(options: ServiceOptions): readonly string[] {
  const warnings: string[] = []
  if (options.allowPlaintextOnLoopback === true) {
    warnings.push('allowPlaintextOnLoopback: origins on this machine may be http:; only for development')
  }
  for (const [name, scope] of Object.entries(options.scopes)) {
    if (typeof scope === 'object' && scope.skipUserConfirmation === true) {
      warnings.push(
        `skipUserConfirmation: users are not asked for ${name} when their credential names this server`,
      )
    }
  }
  return warnings
}
