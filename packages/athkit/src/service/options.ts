import type { AuditOptions } from '../audit/index.ts'
import type { Awaitable } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { PublicKey } from '../crypto/keys.ts'
import type { Resolver } from '../did/resolver.ts'
import type { Identity } from '../handshake/index.ts'
import type { Endpoints } from '../messages/discovery.ts'
import type { Fetch } from '../net/request.ts'
import type { Store } from '../store/store.ts'
import type { ConfirmationChannel } from './channel.ts'
import type { ServiceEvent } from './events.ts'
import type { Enforcers } from './grant-of.ts'
import type { Logger } from './log.ts'
import type { Policy, PolicyDocument } from './policy/index.ts'
import type { TelemetryOptions } from './telemetry/api.ts'

/** What `createService` is told. */
export interface ServiceOptions {
  readonly identity: Identity
  /** The public origin, or all of them, the first counting for plain nonces (ATH-3.1). Never taken from a request. */
  readonly origin?: string
  readonly origins?: readonly string[]
  readonly appId?: string
  readonly name: string
  /** By scope: what it means, in words for a person. */
  readonly scopes: Readonly<Record<string, string | ScopeOptions>>
  /** Which account a user DID belongs to (ATH-4.7); undefined when it is not enrolled. */
  readonly users: Users
  readonly store: Store
  readonly resolver?: Resolver
  /** How the user is reached; the wallet's inbox without it, which is always there beside others. */
  readonly confirm?: ConfirmationChannel
  /** A function, or data, such as a file; `reloadPolicy` replaces it. */
  readonly policy?: Policy | PolicyDocument
  /**
   * What is known here about an agent: `name`, `developer` …; shown to the user, never the agent's own words (ATH-6.3.1). It counts before
   * what trusted credentials and a verifying registry say.
   */
  readonly clientInfo?: (clientDid: string) => Awaitable<JsonObject>
  /** Restrictions of every grant (ATH-6.4.3). One that is neither built in nor in `enforcers` is refused at start-up. */
  readonly restrictions?: JsonObject
  /** By name: how a restriction that is not built in is kept where `enforce(name, …)` stands on a route: `atMost`, `budget()`. */
  readonly enforcers?: Enforcers
  /** Seconds: the longest grant; 7200. */
  readonly tokenMaxTtlSeconds?: number
  readonly timeouts?: Partial<Timeouts>
  readonly limits?: Partial<Limits>
  readonly endpoints?: Partial<Endpoints>
  readonly capabilities?: readonly string[]
  /** Keys that signed tokens which are still about, after the identity's key was changed. */
  readonly formerKeys?: readonly PublicKey[]
  /** Credentials of third parties about agents (ATH-6.1.6); what is no VC of these types is ignored. */
  readonly agentCredentials?: AgentCredentials
  /** Refuses nonces that do not commit, and so every literal implementation of the source documents (ATH-6.1.2). */
  readonly refusePlainNonces?: boolean
  /** A weakening, for development: origins may be `http:` on this machine (ATH-3.1). */
  readonly allowPlaintextOnLoopback?: boolean
  /** Routes whose handlers read a sealed body before its last record has come, of any length (ATH-7.4); `path` without its query. */
  readonly streamingRoutes?: (method: string, path: string) => boolean
  readonly onEvent?: (event: ServiceEvent) => void
  /** Beside `onEvent`: what happens, in lines; a pino logger fits. Without either, what nobody may miss goes to the console. */
  readonly logger?: Logger
  /** Spans and metrics, through `@opentelemetry/api` or anything of its shape. */
  readonly telemetry?: TelemetryOptions
  /** How this process keeps its chain of audit entries (ATH-10). */
  readonly audit?: AuditOptions
  /** Unix milliseconds. */
  readonly clock?: () => number
}

export interface ScopeOptions {
  readonly description: string
  /** A weakening: the user is not asked for it when their credential names this server (ATH-6.3.4). */
  readonly skipUserConfirmation?: boolean
}

/** An operator who keeps links elsewhere gives `find` alone, and calls `endLink` of the service when one ends. */
export interface Users {
  find(userDid: string): Awaitable<{ readonly account: string } | undefined>
}

/** Users whose links are made here, by `enrolment` of the service; `storedUsers(store)` keeps them in any store. */
export interface LinkedUsers extends Users {
  /**
   * Puts the DID under the account, in one atomic step, wherever it was before.
   *
   * @returns the account that it was under until then
   */
  link(userDid: string, account: string): Awaitable<string | undefined>
  /** In one atomic step. @returns false when the DID is not under that account */
  unlink(userDid: string, account: string): Awaitable<boolean>
  /** The DIDs under the account. */
  linked(account: string): Awaitable<readonly string[]>
}

export interface AgentCredentials {
  /** The types that count; credentials of others are ignored. */
  readonly types: readonly string[]
  /** DIDs of the issuers that are trusted. */
  readonly issuers: readonly string[]
  /** Whether an agent without any of them is refused, or the types of which it has to show one each; false. */
  readonly required?: boolean | readonly string[]
  /** How status lists are fetched; `guardedFetch()` of `athkit/did-node`. */
  readonly fetch?: Fetch
}

/** Seconds. The profile's values are the defaults; shorter ones are for tests. */
export interface Timeouts {
  /** A handshake that is not advanced for so long expires (ATH-3.7); 60. */
  readonly handshake: number
  /** For the user to answer (ATH-6.3.3); 300, at most 600. */
  readonly confirm: number
  /** For the agent to fetch what followed the answer (ATH-3.6); 600. */
  readonly fetch: number
  /** For the first sealed request of a session (ATH-3.6); 600. */
  readonly provisional: number
  /** How long what has ended still says how (ATH-3.7); 600. */
  readonly remember: number
  /** The old epoch after a rotation (ATH-7.9); 30. */
  readonly rotationOverlap: number
  /** After which another rotation request supersedes a pending one (ATH-7.9); 30. */
  readonly rotationSupersede: number
  /** Of one access token (ATH-6.5.3); 3600. */
  readonly tokenTtl: number
  /** The first of the waits after a denial, each of which doubles up to 64 times it (ATH-6.3.1); 60. */
  readonly denialBackoff: number
}

/** Bounds of what a stranger can make the service do. `Infinity` takes one away. */
export interface Limits {
  /** m1 per minute and network address (an IPv6 /64 counts as one); 120. */
  readonly handshakesPerMinute: number
  /** Handshakes per minute and agent, once it has proven who it is; 120. */
  readonly handshakesPerAgent: number
  /** Every other unsealed request per minute and address; 1200. */
  readonly requestsPerMinute: number
  /** Handshakes per node that have not come to m3: with more, the oldest is forgotten; 10 000. */
  readonly pendingHandshakes: number
  /** Nonces of m1 that a node remembers (ATH-6.1.4); 100 000. */
  readonly rememberedNonces: number
  /** Open questions of one user (ATH-6.3.1); 50. */
  readonly questionsPerUser: number
  /** Long-polls and streams that one user or one handshake holds open on a node; 20. */
  readonly waiting: number
  /** What a handler is given at most of a sealed body that its route does not stream (ATH-7.4); 1 048 576. */
  readonly bodyBytes: number
  /** Addresses that the first three do not count. */
  readonly exempt: (address: string) => boolean
}
