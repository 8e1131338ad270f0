import type { AgentEvent, AgentOptions, ConnectOptions } from '../../src/agent/index.ts'
import { createAgent } from '../../src/agent/index.ts'
import type { Sleep } from '../../src/client/index.ts'
import { generateSigner, type Signer } from '../../src/crypto/keys.ts'
import { didFromKey } from '../../src/did/did.ts'
import { AthError, HandshakeError } from '../../src/errors.ts'
import type { Identity } from '../../src/handshake/index.ts'
import { createUser } from '../../src/user/index.ts'
import { createFake, type FakeOptions } from './fake-server.ts'

export const NOW = 1_717_200_000
export const ORIGIN = 'https://shop.example'

export async function party(alg: 'ES256' | 'EdDSA' = 'ES256'): Promise<Identity> {
  const signer = await generateSigner(alg)
  return { did: didFromKey(signer.publicKey), signer }
}

export interface Clock {
  now: number
}

/** Waits in no time: the clock goes on instead. */
export const jumping = (clock: Clock, slept: number[] = []): Sleep => {
  let carried = 0
  return async (milliseconds, signal) => {
    signal?.throwIfAborted()
    slept.push(milliseconds)
    carried += milliseconds
    clock.now += Math.floor(carried / 1000)
    carried %= 1000
    await new Promise((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
  }
}

/** Counts what is signed: nothing may be before the server has passed every check (ATH-6.1.5). */
export function counting(identity: Identity): Identity & { readonly signed: () => number } {
  let signed = 0
  const { signer } = identity
  const counted: Signer = {
    publicKey: signer.publicKey,
    sign: (data) => {
      signed++
      return signer.sign(data)
    },
  }
  return { did: identity.did, signer: counted, signed: () => signed }
}

export interface WorldOptions extends FakeOptions {
  readonly agent?: Partial<AgentOptions> | ((server: Identity) => Partial<AgentOptions>)
  readonly wish?: Partial<ConnectOptions>
  /** `aud` of the credential; the server's DID without it, null for none. */
  readonly audience?: readonly string[] | null
  readonly alg?: 'ES256' | 'EdDSA'
}

/** An agent, a user and a scripted server, each real but for what the test alters. */
export async function world(options: WorldOptions = {}) {
  const clock: Clock = { now: NOW }
  const slept: number[] = []
  const [server, agentParty, userParty] = await Promise.all([party(), party(options.alg), party()])
  const fake = createFake({ server, clock, ...options })
  const identity = counting(agentParty)
  const user = createUser({ identity: userParty, now: () => clock.now })
  const audience = options.audience === undefined ? [server.did] : options.audience
  const authorization = await user.authorize({
    clientDid: identity.did,
    scopes: ['goods:read', 'order:create'],
    expiresInSeconds: 7200,
    ...(audience === null ? {} : { audience }),
  })
  const steps: AgentEvent[] = []
  const agent = createAgent({
    identity,
    fetch: fake.fetch,
    now: () => clock.now,
    sleep: jumping(clock, slept),
    answerWithin: 2000,
    headWithin: 2000,
    ...(typeof options.agent === 'function' ? options.agent(server) : options.agent),
  })
  const connect = (wish: Partial<ConnectOptions> = {}) =>
    agent.connect(ORIGIN, {
      authorization,
      scopes: ['goods:read', 'order:create'],
      ttlSeconds: 7200,
      onStep: (event) => void steps.push(event),
      ...options.wish,
      ...wish,
    })
  return { clock, slept, server, identity, user, userParty, authorization, fake, agent, connect, steps }
}

/** What an attempt was refused with, in one word; what it came to is a failure of the test. */
export async function refusal(attempt: Promise<unknown> | (() => Promise<unknown>)): Promise<string> {
  try {
    await (typeof attempt === 'function' ? attempt() : attempt)
  } catch (error) {
    if (error instanceof HandshakeError) return error.error
    if (error instanceof AthError) return error.trouble
    throw error
  }
  throw new Error('it was not refused')
}
