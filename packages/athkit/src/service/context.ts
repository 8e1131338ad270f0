import type { Audit } from '../audit/index.ts'
import type { Awaitable } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import type { Resolver } from '../did/resolver.ts'
import type { Identity } from '../handshake/index.ts'
import type { Endpoints } from '../messages/discovery.ts'
import type { Store } from '../store/store.ts'
import type { Admission } from './admission.ts'
import type { CredentialPolicy } from './agent-credentials.ts'
import type { Budget } from './budget/index.ts'
import type { ConfirmationChannel } from './channel.ts'
import type { ServiceEvent } from './events.ts'
import type { Enforcers } from './grant-of.ts'
import type { Hub } from './hub.ts'
import type { Limits, ScopeOptions, Timeouts, Users } from './options.ts'
import type { Policies } from './policy/index.ts'
import type { Telemetry } from './telemetry/telemetry.ts'

/** The service's configuration, checked, and what its parts share. Both halves — handshake and session — take it first. */
export interface ServiceContext {
  readonly identity: Identity
  /** The identity's key first, then former ones: a presented access token is signed by one of them. */
  readonly serverKeys: readonly PublicKey[]
  readonly origins: readonly string[]
  /** Absolute paths (ATH-3.2). */
  readonly endpoints: Endpoints
  readonly capabilities: readonly string[]
  readonly name: string
  readonly appId: string
  readonly store: Store
  readonly audit: Audit
  /** undefined where nobody measures. */
  readonly telemetry?: Telemetry | undefined
  readonly resolver: Resolver
  readonly users: Users
  readonly channel: ConfirmationChannel
  readonly scopes: ReadonlyMap<string, ScopeOptions>
  readonly policies: Policies
  readonly clientInfo: ((clientDid: string) => Awaitable<JsonObject>) | undefined
  readonly agentCredentials: CredentialPolicy | undefined
  readonly refusePlainNonces: boolean
  /** Of every grant, before policy's and the user's. */
  readonly restrictions: JsonObject
  readonly enforcers: Enforcers
  /** Those of the enforcers that are budgets. */
  readonly budgets: ReadonlyMap<string, Budget>
  /** Names of restrictions that somebody enforces: the built-in ones and those of `enforcers`. */
  readonly enforced: readonly string[]
  readonly tokenMaxTtl: number
  readonly timeouts: Timeouts
  readonly limits: Limits
  readonly admission: Admission
  /** Wakes what waits in this process; other nodes are noticed by looking again. */
  readonly hub: Hub
  /** Unix seconds. */
  now(): number
  /** Unix milliseconds. */
  nowMs(): number
  emit(event: ServiceEvent): void
  /** A grant was ended here: what this process still sends under it is cut at once (ATH-7.8). */
  grantEnded(grantId: string): void
  /** Routes whose handlers read a sealed body before its last record has come (ATH-7.4). */
  readonly streamingRoutes?: ((method: string, path: string) => boolean) | undefined
  /** Where an opened request goes. Bound to a grant before (`grant-of.ts`). */
  application(request: Request): Awaitable<Response>
}

/** What keeping and ending grants takes: a service has it, and so has an operator's tool on the same store. */
export type Bookkeeping = Pick<ServiceContext, 'store' | 'audit' | 'now' | 'emit' | 'grantEnded'>

/** Who is at the other end of a connection. */
export interface Caller {
  /** Network address of the peer, or what a configured proxy says it is. */
  readonly address: string
}
