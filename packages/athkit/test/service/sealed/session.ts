import type { CipherSuite } from '../../../src/crypto/algorithms.ts'
import { concat, fromUtf8, toBase64url, utf8 } from '../../../src/crypto/bytes.ts'
import type { JsonObject } from '../../../src/crypto/json.ts'
import { randomBytes, randomId } from '../../../src/crypto/random.ts'
import type { ServiceContext } from '../../../src/service/context.ts'
import { commitGrant } from '../../../src/service/grant-commit.ts'
import { type EpochRow, type GrantRow, pairPartition, type SessionRow } from '../../../src/service/rows.ts'
import { openExchange, sealWhole, splitHead } from '../../../src/session/exchange.ts'
import { type ResponseHead, readResponseHead } from '../../../src/session/head.ts'
import { encodeRequestHeader } from '../../../src/session/header.ts'
import { createReader, exchangeKey } from '../../../src/session/records.ts'
import type { Store } from '../../../src/store/store.ts'
import { type AccessTokenClaims, issueAccessToken } from '../../../src/token/access-token.ts'
import { ORIGIN, open, type Shop, shop } from '../shop.ts'

export const SEALED = '/ath/sealed'

/** A context as far as writing a grant's rows needs one. */
export const writing = (at: Shop): ServiceContext =>
  ({
    store: at.store,
    audit: at.service.audit,
    now: () => at.clock.now,
    emit: () => undefined,
  }) as unknown as ServiceContext

export interface Keys {
  readonly epoch: number
  readonly c2s: Uint8Array
  readonly s2c: Uint8Array
  readonly rekey: Uint8Array
}

export interface SeedOptions {
  readonly grant?: Partial<GrantRow>
  readonly session?: Partial<SessionRow>
  readonly cipher?: CipherSuite
  readonly token?: Partial<AccessTokenClaims>
}

/** A session as m9b leaves it, provisional, without a handshake. */
export async function seed(at: Shop, options: SeedOptions = {}) {
  const now = at.clock.now
  const cipher = options.cipher ?? 'AES-256-GCM'
  const sid = randomBytes(16)
  const keys: Keys = { epoch: 0, c2s: randomBytes(32), s2c: randomBytes(32), rekey: randomBytes(32) }
  const grant: GrantRow = {
    id: toBase64url(sid),
    handshakeId: randomId('h_'),
    clientDid: at.agent.did,
    clientInfo: { name: 'Assistant' },
    userDid: at.user.did,
    account: 'account-1',
    audience: ORIGIN,
    credentialId: toBase64url(randomBytes(32)),
    clientKey: at.agent.signer.publicKey.thumbprint,
    credentialKey: at.user.signer.publicKey.thumbprint,
    scopes: ['goods:read', 'order:create'],
    restrictions: { order_amount_limit: 5000 },
    grantedAt: now,
    expiresAt: now + 7200,
    provisionalUntil: now + 600,
    state: 'provisional',
    ...options.grant,
  }
  const epoch: EpochRow = {
    epoch: 0,
    c2s: toBase64url(keys.c2s),
    s2c: toBase64url(keys.s2c),
    rekey: toBase64url(keys.rekey),
    createdAt: now,
  }
  const session: SessionRow = {
    sid: grant.id,
    clientDid: grant.clientDid,
    userDid: grant.userDid,
    audience: ORIGIN,
    cipher,
    capabilities: ['TLS1.3', 'ES256', 'ECDH-X25519', 'CHACHA20-POLY1305'],
    highestEpoch: 0,
    epochs: [epoch],
    transcript: toBase64url(randomBytes(32)),
    ...options.session,
  }
  if (grant.use !== undefined) {
    const reserved = { op: 'put', key: grant.use.key, value: 'reserved' } as const
    await at.store.transact(await pairPartition(grant.clientDid, grant.userDid), [reserved], now)
  }
  await commitGrant(writing(at), { grant, session })
  const token = await tokenFor(at, grant, session, options.token)
  return clientOf(at, { sid, cipher, keys, token, grant, session })
}

export const tokenFor = (
  at: Shop,
  grant: GrantRow,
  session: SessionRow,
  edit: Partial<AccessTokenClaims> = {},
): Promise<string> =>
  issueAccessToken(at.server.signer, {
    iss: at.server.did,
    sub: grant.userDid,
    client_id: grant.clientDid,
    aud: grant.audience,
    iat: at.clock.now,
    exp: at.clock.now + 3600,
    jti: randomId('tok_'),
    scope: grant.scopes.join(' '),
    restrictions: grant.restrictions,
    cnf: { ath_sid: grant.id },
    ath_transcript: session.transcript,
    ...edit,
  })

interface ClientState {
  readonly sid: Uint8Array
  readonly cipher: CipherSuite
  readonly keys: Keys
  readonly token: string
  readonly grant: GrantRow
  readonly session: SessionRow
}

export interface SendOptions {
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string | Uint8Array
  readonly token?: string | null
  readonly seq?: number
  readonly keys?: Keys
  readonly head?: JsonObject
  readonly address?: string
  readonly signal?: AbortSignal
  /** Another node of the same world. */
  readonly via?: Shop
}

export interface Sealed {
  readonly header: Uint8Array
  readonly bytes: Uint8Array
}

export interface Outcome {
  /** Outside the seal. */
  readonly outer: number
  /** Inside, or that of the error object outside. */
  readonly status: number
  readonly head: ResponseHead | undefined
  readonly text: string
  readonly json: JsonObject
  readonly error: unknown
  readonly ath: boolean
}

export function clientOf(at: Shop, state: ClientState) {
  let next = 0
  const client = {
    ...state,
    nextSeq: () => next++,
    async seal(method: string, path: string, options: SendOptions = {}): Promise<Sealed> {
      const { epoch, c2s } = options.keys ?? state.keys
      const token = options.token === undefined ? state.token : options.token
      const head = {
        method,
        path,
        headers: [
          ...(token === null ? [] : [['authorization', `Bearer ${token}`] as const]),
          ...(options.headers ?? []),
        ],
        timestamp: at.clock.now,
        ...options.head,
      }
      const header = encodeRequestHeader({
        sid: state.sid,
        epoch,
        seq: options.seq ?? next++,
        salt: randomBytes(16),
      })
      const key = await exchangeKey(c2s, 'request', header)
      const body = typeof options.body === 'string' ? utf8(options.body) : (options.body ?? new Uint8Array())
      const records = await sealWhole(state.cipher, key, utf8(JSON.stringify(head)), body)
      return { header, bytes: concat(header, records) }
    },
    async post(sealed: Uint8Array, options: SendOptions = {}): Promise<Response> {
      return (options.via ?? at).raw('POST', SEALED, sealed as Uint8Array<ArrayBuffer>, {
        headers: { 'content-type': 'application/ath-sealed', 'content-length': String(sealed.length) },
        ...(options.address === undefined ? {} : { address: options.address }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      })
    },
    async open(response: Response, header: Uint8Array, keys: Keys = state.keys) {
      const reader = createReader(response.body as unknown as AsyncIterable<Uint8Array>)
      const answer = new Uint8Array(await reader.read(17))
      const key = await exchangeKey(keys.s2c, 'response', header, answer)
      const exchange = await openExchange(state.cipher, key, reader)
      return { head: readResponseHead(splitHead(exchange.record0).head), body: exchange.body() }
    },
    async outcome(response: Response, requestHeader: Uint8Array, keys: Keys = state.keys): Promise<Outcome> {
      if (response.status !== 200) {
        const json = (await response.json()) as JsonObject
        return {
          outer: response.status,
          status: response.status,
          head: undefined,
          text: '',
          json,
          error: json.error,
          ath: true,
        }
      }
      const { head, body } = await client.open(response, requestHeader, keys)
      const parts: Uint8Array[] = []
      for await (const part of body) parts.push(part)
      const text = fromUtf8(concat(...parts))
      const isJson = header(head, 'content-type')?.startsWith('application/json') === true
      const json = isJson ? (JSON.parse(text) as JsonObject) : {}
      const ath = head.ath === true
      return { outer: 200, status: head.status, head, text, json, error: ath ? json.error : undefined, ath }
    },
    async send(method: string, path: string, options: SendOptions = {}): Promise<Outcome> {
      const { header, bytes } = await client.seal(method, path, options)
      return client.outcome(await client.post(bytes, options), header, options.keys ?? state.keys)
    },
  }
  return client
}

export type Client = Awaited<ReturnType<typeof seed>>

/** A shop whose application the test gives, and a session at it. */
export async function sealedShop(
  application: (request: Request) => Response | Promise<Response> = () => new Response('ok'),
  more: Parameters<typeof shop>[0] = {},
  options: SeedOptions = {},
  store?: Store,
) {
  const at = await shop({ restrictions: {}, ...more }, store === undefined ? {} : { store })
  at.service.setApplication(application)
  return { at, client: await seed(at, options) }
}

/** Another node: its own memory, the same store and clock. */
export function otherNode(
  at: Shop,
  application: (request: Request) => Response | Promise<Response> = () => new Response('ok'),
  more: Parameters<typeof shop>[0] = {},
): Shop {
  const { server, user, agent, store, clock } = at
  const node = open({ server, user, agent, store, clock }, { restrictions: {}, ...more })
  node.service.setApplication(application)
  return node
}

/** The rows of the pair whose keys begin so. */
export async function rowsOf(at: Shop, prefix: string) {
  const partition = await pairPartition(at.agent.did, at.user.did)
  const { results } = await at.store.transact(partition, [{ op: 'list', prefix, limit: 10 }], at.clock.now)
  return results[0] ?? []
}

export const header = (head: ResponseHead | undefined, name: string): string | undefined =>
  head?.headers.find(([given]) => given === name)?.[1]
