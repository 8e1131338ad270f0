import { ANSWER_WITHIN, createTransport, type Sleep, sleep, type Transport } from '../client/index.ts'
import type { CipherSuite, KeyExchangeAlgorithm } from '../crypto/algorithms.ts'
import { createResolver, type Resolver } from '../did/resolver.ts'
import type { Identity, LiteralPeer } from '../handshake/index.ts'
import type { AgentOptions } from './options.ts'
import type { Vault } from './vault.ts'

/** The agent's configuration, checked, with everything that has a default. */
export interface AgentContext {
  readonly identity: Identity
  readonly vault: Vault | undefined
  readonly resolver: Resolver
  readonly transport: Transport
  readonly pins: readonly string[]
  readonly literalPeers: readonly LiteralPeer[]
  readonly trustOnFirstUse: boolean
  readonly allowPlaintextOnLoopback: boolean
  readonly capabilities: readonly string[] | undefined
  readonly keyExchange: KeyExchangeAlgorithm
  readonly cipherSuite: CipherSuite
  readonly rotateEvery: number
  readonly concurrency: number
  readonly pollSeconds: number
  readonly headWithin: number
  readonly now: () => number
  readonly sleep: Sleep
}

/** ATH-3.4: `wait` up to this is honoured. */
export const LONGEST_POLL = 60

/** ATH-7.9: keys older than this are refused by both sides. */
export const KEYS_LIVE_SECONDS = 86_400

/** @throws TypeError for a mistake in the configuration */
export function contextOf(options: AgentOptions): AgentContext {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))
  const rotateEvery = options.rotateEverySeconds ?? 3600
  if (!(rotateEvery > 0 && rotateEvery <= KEYS_LIVE_SECONDS)) {
    throw new TypeError('rotateEverySeconds: more than 0, at most 86400')
  }
  const concurrency = options.concurrency ?? 512
  if (!(Number.isInteger(concurrency) && concurrency > 0)) throw new TypeError('concurrency: a whole number')
  const pollSeconds = options.pollSeconds ?? LONGEST_POLL
  if (!(Number.isInteger(pollSeconds) && pollSeconds >= 0 && pollSeconds <= LONGEST_POLL))
    throw new TypeError('pollSeconds: from 0 to 60')
  return {
    identity: options.identity,
    vault: options.vault,
    resolver: options.resolver ?? createResolver({ now }),
    transport: createTransport({ fetch: options.fetch, answerWithin: options.answerWithin ?? ANSWER_WITHIN }),
    pins: options.pins ?? [],
    literalPeers: options.literalPeers ?? [],
    trustOnFirstUse: options.trustOnFirstUse === true,
    allowPlaintextOnLoopback: options.allowPlaintextOnLoopback === true,
    capabilities: options.capabilities,
    keyExchange: options.keyExchange ?? 'ECDH-X25519',
    cipherSuite: options.cipherSuite ?? 'AES-256-GCM',
    rotateEvery,
    concurrency,
    pollSeconds,
    headWithin: options.headWithin ?? 300_000,
    now,
    sleep: options.sleep ?? sleep,
  }
}
