import * as v from 'valibot'
import { CIPHER_SUITES } from '../crypto/algorithms.ts'
import type { JsonObject } from '../crypto/json.ts'
import { decodeJwt } from '../crypto/jws.ts'
import { isObject } from '../crypto/shape.ts'
import type { AccessTokenClaims } from '../token/access-token.ts'
import { type Connection, epochOf } from './connection.ts'
import type { AgentContext } from './context.ts'
import type { Wish } from './from-vault.ts'
import type { Keeper } from './keeper.ts'
import { createLeases } from './leases.ts'
import { createSequence } from './sequence.ts'
import { createSlots } from './slots.ts'
import type { Kept } from './vault.ts'

const bytes = (length: number) =>
  v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length)
const strings = v.pipe(v.array(v.string()), v.readonly())

/** What a new handshake like the first is made of. */
export const KeptWish = v.object({
  authorization: v.union([v.string(), v.custom<JsonObject>(isObject)]),
  scopes: strings,
  requiredScopes: v.exactOptional(strings),
  ttlSeconds: v.exactOptional(v.number()),
  context: v.exactOptional(v.string()),
  credentials: v.exactOptional(strings),
  serverDid: v.exactOptional(v.string()),
})
export type KeptWish = Readonly<v.InferOutput<typeof KeptWish>>

/** The form in which a session stands in the vault; its secrets are bytes. */
const KeptSession = v.object({
  audience: v.string(),
  endpoint: v.string(),
  sid: bytes(16),
  capabilities: strings,
  serverDid: v.string(),
  grantEnd: v.number(),
  askedUser: v.boolean(),
  denied: v.array(
    v.object({
      scope: v.string(),
      code: v.exactOptional(v.string()),
      reason: v.exactOptional(v.string()),
    }),
  ),
  grantId: v.string(),
  token: v.string(),
  keys: v.object({
    epoch: v.number(),
    cipher: v.picklist(CIPHER_SUITES),
    createdAt: v.number(),
    c2s: bytes(32),
    s2c: bytes(32),
    rekey: bytes(32),
  }),
  /** The first number that nobody has set aside. */
  nextSeq: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** Unix seconds: when a handshake was last made that nobody had asked for (ATH-7.11); 0 for never. */
  silentAt: v.number(),
  wish: KeptWish,
})
export type KeptSession = Readonly<v.InferOutput<typeof KeptSession>>

/** @returns undefined for what is none: the session is not kept, then */
export function readKept(kept: Kept | undefined): KeptSession | undefined {
  const result = v.safeParse(KeptSession, kept)
  return result.success ? result.output : undefined
}

export const keptOf = (connection: Connection, wish: Wish, silentAt: number): KeptSession => ({
  audience: connection.audience,
  endpoint: connection.endpoint,
  sid: connection.sid,
  capabilities: connection.capabilities,
  serverDid: connection.serverDid,
  grantEnd: connection.grantEnd,
  askedUser: connection.askedUser,
  denied: [...connection.denied],
  grantId: connection.grantId,
  token: connection.token,
  keys: connection.epoch.keys,
  nextSeq: 0,
  silentAt,
  wish: keptWish(wish, connection.claims.scope.split(' ')),
})

/** @param chosen what was asked for where the wish leaves it to what is offered */
export function keptWish(wish: Wish, chosen: readonly string[]): KeptWish {
  const scopes = typeof wish.scopes === 'function' ? chosen : wish.scopes
  return v.parse(KeptWish, { ...wish, scopes })
}

/** @param keeper undefined for one whose place in the vault another session has taken: it is only to be ended */
export const connectionFrom = (agent: AgentContext, kept: KeptSession, keeper?: Keeper): Connection => ({
  ...kept,
  slots: createSlots(agent.concurrency),
  leases: createLeases(),
  keeper,
  epoch:
    keeper === undefined
      ? { keys: kept.keys, sequence: createSequence(kept.nextSeq) }
      : epochOf(kept.keys, keeper),
  // It was verified before it was kept.
  claims: decodeJwt(kept.token).claims as unknown as AccessTokenClaims,
})
