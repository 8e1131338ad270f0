import { refuse } from '../errors.ts'
import { addressGroup } from '../net/address.ts'
import { createMeter } from '../net/meter.ts'
import type { Limits } from './options.ts'

/**
 * What is decided before any cryptography, in bounded memory of this node (ATH-4.4, ATH-6.1.4): who may begin how many handshakes,
 * how many may be open, and which nonces of m1 were seen. It counts by network address, never by a DID that somebody claims; by DID
 * only once m3 has proven it.
 */
export interface Admission {
  /** One more unsealed request. @throws HandshakeError `rate_limited` */
  admitRequest(address: string): void
  /** One more m1. @throws HandshakeError `rate_limited` */
  admitHandshake(address: string): void
  /** One more handshake of an agent that has proven who it is. @throws HandshakeError `rate_limited` */
  admitAgent(clientDid: string, address: string): void
  /**
   * Counts a handshake as open until it comes to m3 or its time is over. Where as many are open as may be, the oldest makes room: in
   * a flood, whoever goes on at once is heard, and whoever never does is forgotten first.
   *
   * @returns the one that made room
   */
  open(id: string): string | undefined
  closed(id: string): void
  /**
   * Takes the nonce of an m1. Across nodes and durably it is taken with m3.
   *
   * @param until Unix seconds
   * @throws HandshakeError `handshake_replayed`
   */
  takeNonce(clientDid: string, nonce: string, until: number): void
  /** The m1 was refused: its nonce was not accepted. */
  giveBackNonce(clientDid: string, nonce: string): void
}

export function createAdmission(limits: Limits, handshakeSeconds: number, nowMs: () => number): Admission {
  const requests = createMeter(limits.requestsPerMinute, nowMs)
  const handshakes = createMeter(limits.handshakesPerMinute, nowMs)
  const agents = createMeter(limits.handshakesPerAgent, nowMs)
  const open = new Expiring(limits.pendingHandshakes)
  const nonces = new Expiring(limits.rememberedNonces)
  const seconds = () => Math.floor(nowMs() / 1000)
  const nonceKey = (did: string, nonce: string) => `${nonce} ${did}`

  function admit(meter: (group: string) => number, address: string): void {
    const retryAfter = limits.exempt(address) ? 0 : meter(addressGroup(address))
    if (retryAfter > 0)
      throw refuse('rate_limited', 'too many from one address', { rule: 'ATH-4.4', retryAfter })
  }

  return {
    admitRequest: (address) => admit(requests, address),
    admitHandshake: (address) => admit(handshakes, address),
    admitAgent(clientDid, address) {
      const retryAfter = limits.exempt(address) ? 0 : agents(clientDid)
      if (retryAfter > 0)
        throw refuse('rate_limited', 'too many of one agent', { rule: 'ATH-4.4', step: 'm3', retryAfter })
    },
    open(id) {
      open.drop(seconds())
      return open.set(id, seconds() + handshakeSeconds)
    },
    closed: (id) => open.delete(id),
    takeNonce(did, nonce, until) {
      nonces.drop(seconds())
      if (nonces.has(nonceKey(did, nonce))) {
        throw refuse('handshake_replayed', 'the nonce was seen before', { rule: 'ATH-6.1.4', step: 'm1' })
      }
      nonces.set(nonceKey(did, nonce), until)
    },
    giveBackNonce: (did, nonce) => nonces.delete(nonceKey(did, nonce)),
  }
}

/** Keys with an end, at most so many: what is oldest makes room. */
class Expiring {
  readonly #most: number
  readonly #ends = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  has(key: string): boolean {
    return this.#ends.has(key)
  }

  /** @returns the key that made room */
  set(key: string, end: number): string | undefined {
    const oldest = this.#ends.size >= this.#most ? this.#ends.keys().next().value : undefined
    if (oldest !== undefined) this.#ends.delete(oldest)
    this.#ends.set(key, end)
    return oldest
  }

  delete(key: string): void {
    this.#ends.delete(key)
  }

  /** Keys are entered in about the order of their ends, so those that have ended stand first. */
  drop(now: number): void {
    for (const [key, end] of this.#ends) {
      if (end >= now) return
      this.#ends.delete(key)
    }
  }
}
