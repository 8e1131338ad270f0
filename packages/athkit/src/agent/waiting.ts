/**
 * A handshake that waits for the user, in the vault until its outcome: an agent that was ended in between goes on with it, shows the same
 * code, and nobody is asked twice.
 */
import * as v from 'valibot'
import { KEY_EXCHANGES } from '../crypto/algorithms.ts'
import { shareFromPrivate } from '../crypto/ecdh.ts'
import { hash } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'
import { AthError, HandshakeError } from '../errors.ts'
import type { Anchor, HandshakeMessages, ScopeRequest, ServiceMetadata } from '../handshake/index.ts'
import { verifyIdentityResult } from '../handshake/index.ts'
import type { AuthorizationPending } from '../messages/index.ts'
import type { Begun } from './begin.ts'
import type { AgentContext } from './context.ts'
import type { Wish } from './from-vault.ts'
import type { Kept, Vault } from './vault.ts'

const KIND = 'handshake'
/** Seconds after the user's answer in which it is still to be had (ATH-3.6). */
const FETCHED_WITHIN = 600

const message = v.custom<JsonObject>(isObject)
const Waiting = v.object({
  audience: v.string(),
  sessionEndpoint: v.string(),
  url: v.string(),
  anchored: v.picklist(['pin', 'credential', 'did:web', 'registry', 'first-use'] satisfies Anchor[]),
  messages: v.object({ m1: message, m2: message, m3: message, m4: message, m5: message, m9a: message }),
  pending: message,
  alg: v.picklist(KEY_EXCHANGES),
  scalar: v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32),
  /** Unix seconds, by our own clock. */
  due: v.number(),
})

export interface Waiting {
  readonly begun: Begun
  readonly pending: AuthorizationPending
  /** Unix seconds by our own clock: when the user has been heard of, or never will be. */
  readonly due: number
}

/** Where the handshakes of one wish stand; undefined without a vault. */
export interface WaitingRoom {
  /** @returns what waits there from an earlier run */
  find(): Promise<Waiting | undefined>
  put(waiting: Waiting): Promise<void>
  /**
   * Takes it away for its outcome: exactly one caller has it.
   *
   * @throws AthError `aborted` when another process has gone on with it
   */
  take(waiting: Waiting): Promise<void>
  /** What a failure leaves: a handshake that was only interrupted still waits. */
  settle(waiting: Waiting, error: unknown): Promise<void>
}

export async function waitingRoom(
  agent: AgentContext,
  origin: string,
  wish: Wish,
): Promise<WaitingRoom | undefined> {
  const { vault, identity, now } = agent
  if (vault === undefined) return undefined
  const name = await hash({ origin, client: identity.did, wish: askedIn(wish) })

  const remove = async (url: string): Promise<boolean> => {
    let found = false
    await vault.update(KIND, name, (kept) => {
      found = readWaiting(kept)?.url === url
      return found ? undefined : kept
    })
    return found
  }

  return {
    async find() {
      await forgetOverdue(vault, now())
      const kept = readWaiting((await vault.entries(KIND)).get(name))
      return kept === undefined ? undefined : restored(kept)
    },
    async put({ begun, pending, due }) {
      const { audience, sessionEndpoint, url, anchored, messages, share, scalar } = begun
      if (scalar === undefined) return
      const { alg } = share
      const kept = { audience, sessionEndpoint, url, anchored, messages, pending, alg, scalar, due }
      await vault.update(KIND, name, () => kept)
    },
    async take({ begun }) {
      if (await remove(begun.url)) return
      throw new AthError('aborted', 'another process goes on with this handshake')
    },
    async settle({ begun }, error) {
      const isOver =
        error instanceof HandshakeError || (error instanceof AthError && error.trouble === 'peer_violation')
      if (isOver) await remove(begun.url)
    },
  }
}

/** Private halves of shares are not kept for longer than an answer may come for, whatever was wished for with them. */
async function forgetOverdue(vault: Vault, now: number): Promise<void> {
  const isOverdue = (kept: Kept | undefined): boolean => {
    const waiting = readWaiting(kept)
    return waiting === undefined || waiting.due + FETCHED_WITHIN <= now
  }
  for (const [name, entry] of await vault.entries(KIND))
    if (isOverdue(entry)) await vault.update(KIND, name, (kept) => (isOverdue(kept) ? undefined : kept))
}

/** Two wishes with the same of this ask for the same. */
const askedIn = ({
  authorization,
  scopes,
  ttlSeconds,
  context,
  credentials,
  serverDid,
}: Wish): JsonObject => ({
  authorization,
  scopes: typeof scopes === 'function' ? null : scopes,
  ttl: ttlSeconds ?? null,
  context: context ?? null,
  credentials: credentials ?? null,
  server: serverDid ?? null,
})

function readWaiting(kept: Kept | undefined) {
  const result = v.safeParse(Waiting, kept)
  return result.success ? result.output : undefined
}

/** Each message had passed its checks before it was kept. */
async function restored(kept: v.InferOutput<typeof Waiting>): Promise<Waiting> {
  const { audience, sessionEndpoint, url, anchored, pending, alg, scalar, due } = kept
  const messages = kept.messages as Omit<HandshakeMessages, 'm5' | 'm8'> & { readonly m5: ScopeRequest }
  const metadata: ServiceMetadata = verifyIdentityResult(messages.m4, messages.m4.timestamp).metadata
  const share = await shareFromPrivate(alg, scalar)
  return {
    begun: { audience, sessionEndpoint, url, anchored, metadata, messages, share, scalar },
    pending: pending as AuthorizationPending,
    due,
  }
}
