import type { Fetch, Sleep } from '../client/index.ts'
import type { CipherSuite, KeyExchangeAlgorithm } from '../crypto/algorithms.ts'
import type { Awaitable } from '../crypto/bytes.ts'
import type { JsonObject } from '../crypto/json.ts'
import type { Resolver } from '../did/resolver.ts'
import type { Identity, LiteralPeer, ServiceMetadata } from '../handshake/index.ts'
import type { ScopesDenied } from './denied.ts'
import type { AgentEvent } from './events.ts'
import type { Vault } from './vault.ts'

export interface AgentOptions {
  readonly identity: Identity
  /** Where credentials are found, and servers remembered. */
  readonly vault?: Vault
  /** How DIDs are resolved; key forms alone without it. */
  readonly resolver?: Resolver
  /** The platform's without it. It must not follow redirects by itself. */
  readonly fetch?: Fetch
  /** DIDs of servers that the operator trusts to be who they say (ATH-6.1.5). */
  readonly pins?: readonly string[]
  /** Servers, by origin and DID, that follow the source documents to the letter: their plain nonces are signed (ATH-6.1.2). */
  readonly literalPeers?: readonly LiteralPeer[]
  /** A weakening: takes a server that nothing vouches for at its word (ATH-6.1.5), with a vault the first time only. */
  readonly trustOnFirstUse?: boolean
  /** A weakening, for development: `http:` on this machine (ATH-3.1). */
  readonly allowPlaintextOnLoopback?: boolean
  /** What m1 lists; everything that the profile knows without it. */
  readonly capabilities?: readonly string[]
  /** Out of what m2 allows; X25519 and AES-256-GCM without it. */
  readonly keyExchange?: KeyExchangeAlgorithm
  readonly cipherSuite?: CipherSuite
  /** Seconds after which a session's keys are changed; 3600, at most 86 400 (ATH-7.9). */
  readonly rotateEverySeconds?: number
  /** Sealed requests of one session that wait for an answer at a time; 512, well within the window of 1024 (ATH-7.6). */
  readonly concurrency?: number
  /** Seconds that the server is asked to hold a question about the user's decision open: 60, less where something on the way cuts it. */
  readonly pollSeconds?: number
  /** Milliseconds within which each answer of the handshake is complete; 30 000. */
  readonly answerWithin?: number
  /** Milliseconds within which a sealed request gets the head of its answer; 300 000. */
  readonly headWithin?: number
  /** Unix seconds. */
  readonly now?: () => number
  readonly sleep?: Sleep
}

/** What the agent says while the user is being asked. */
export interface Pending {
  /** Unix seconds by the server's clock: the deadline to answer. */
  readonly expiresAt: number
  /** Two digits that the agent shows, and the person picks in their wallet (ATH-6.3.1). */
  readonly bindingCode: string
  readonly requestId: string
}

/** Another credential of the user's, and what to ask for with it where that changes. */
export interface Reauthorization {
  readonly authorization: string | JsonObject
  readonly scopes?: readonly string[]
  readonly requiredScopes?: readonly string[]
}

export interface ConnectOptions {
  /** m0: the user's credential; without it, one that fits is looked for in the vault. */
  readonly authorization?: string | JsonObject
  /** What to ask for, or what of that which the server offers; the latter costs a round trip. */
  readonly scopes: readonly string[] | ((offered: ServiceMetadata) => readonly string[])
  /** A grant that lacks one of these is given back, and refused as an error. */
  readonly requiredScopes?: readonly string[]
  /** How long the grant should last; as long as the service allows without it. */
  readonly ttlSeconds?: number
  /** Why, in words for the user. */
  readonly context?: string
  /** `vc+jwt` credentials about the agent (ATH-6.1.6). */
  readonly credentials?: readonly string[]
  /** The one DID that the server may have, whatever else would vouch for another. */
  readonly serverDid?: string
  /**
   * Keeps the session in the vault until it is closed: `agent.resume` goes on with it in another run. There is one for each origin:
   * another that is kept ends it.
   */
  readonly keep?: boolean
  readonly onPending?: (pending: Pending) => void
  /**
   * Obtains another credential from the user after scopes were denied, and the handshake is made again with it: at most three times.
   * `undefined` gives up.
   */
  readonly reauthorize?: (refused: ScopesDenied) => Awaitable<Reauthorization | undefined>
  /** One event for each message sent, received and verified; credentials and tokens are left out of it. */
  readonly onStep?: (event: AgentEvent) => void
  /** Stops the handshake, at whatever it waits for. The session that comes of it has a life of its own. */
  readonly signal?: AbortSignal
}

/** What is asked for beyond what a session has. */
export interface StepUpOptions
  extends Pick<ConnectOptions, 'ttlSeconds' | 'context' | 'onPending' | 'reauthorize' | 'signal'> {
  /** Those that are to be added. */
  readonly scopes: readonly string[]
  /** Of these, what the new grant must not lack; what the session has already it must not lack either way. */
  readonly requiredScopes?: readonly string[]
  /** A credential that holds what the session has and what is added; without it, one that fits in the vault, or the session's own. */
  readonly authorization?: string | JsonObject
}

export interface ResumeOptions {
  readonly onStep?: (event: AgentEvent) => void
}
