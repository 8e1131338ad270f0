/**
 * The wallet's line to one service (ATH-6.3.5, ATH-8): its questions as they come, the answers, the grants, what is taken back.
 *
 * It is tied to the DID that the user pinned when they linked the service; whoever answers at its address is nobody without that.
 */

import type { Fetch, Sleep } from '../client/index.ts'
import { ANSWER_WITHIN, again, call, createTransport, discover, originOf, sleep } from '../client/index.ts'
import { jsonBytes } from '../client/transport.ts'
import type { Json } from '../crypto/json.ts'
import { randomId } from '../crypto/random.ts'
import { keysOf } from '../did/document.ts'
import { createResolver, type Resolver } from '../did/resolver.ts'
import type { HandshakeError } from '../errors.ts'
import type { ConfirmationRequest, ConfirmationResponse, Identity } from '../handshake/index.ts'
import {
  type ConfirmationReceipt,
  createRevocation,
  createWalletToken,
  type Discovered,
  type Grant,
  parseGrantsListing,
  type RevocationReceipt,
  type RevocationTarget,
  verifyConfirmationReceipt,
  verifyRevocationReceipt,
} from '../messages/index.ts'
import { watchInbox } from './inbox.ts'
import type { ConfirmOptions, User } from './user.ts'

export interface WalletLinkOptions {
  readonly identity: Identity
  readonly user: User
  readonly origin: string
  /** The server's DID, pinned: out of the account's own page, or wherever else the user trusts it from. */
  readonly serverDid: string
  readonly resolver?: Resolver
  readonly fetch?: Fetch
  readonly now: () => number
  readonly sleep?: Sleep
  /** Questions that do not verify are dropped; this is told. */
  readonly onRefused?: (error: HandshakeError) => void
  /** A weakening: shows questions about credentials that this wallet does not remember to have signed. */
  readonly allowQuestionsAboutUnknownCredentials?: boolean
  /** A weakening, for development: `http:` on this machine (ATH-3.1). */
  readonly allowPlaintextOnLoopback?: boolean
  /** Milliseconds for an answer, beyond what the server was asked to wait. */
  readonly answerWithin?: number
}

/** What to take back; of a credential its end, until which it is remembered as revoked. */
export type Taken = { readonly grant: string } | { readonly credential: string; readonly expiresAt?: number }

export interface WalletLink {
  readonly origin: string
  readonly serverDid: string
  /** The open questions and then each new one, verified, each once; until the signal is aborted. */
  questions(signal: AbortSignal): AsyncIterable<ConfirmationRequest>
  /** The open questions, verified. @param options.waitSeconds long-polls for the first one */
  pending(options?: {
    readonly waitSeconds?: number
    readonly signal?: AbortSignal
  }): Promise<readonly ConfirmationRequest[]>
  approve(request: ConfirmationRequest, options?: ConfirmOptions): Promise<ConfirmationReceipt>
  deny(request: ConfirmationRequest): Promise<ConfirmationReceipt>
  grants(): Promise<readonly Grant[]>
  /** @returns the server's receipt, its signature verified */
  revoke(taken: Taken, reason?: string): Promise<RevocationReceipt>
}

export function linkTo(options: Omit<WalletLinkOptions, 'identity'> & { identity: Identity }): WalletLink {
  const { identity, user, serverDid, now } = options
  const plaintext = { allowPlaintextOnLoopback: options.allowPlaintextOnLoopback }
  const origin = originOf(options.origin, plaintext)
  const resolver = options.resolver ?? createResolver({ now })
  const transport = createTransport({
    fetch: options.fetch,
    answerWithin: options.answerWithin ?? ANSWER_WITHIN,
  })
  const wait = options.sleep ?? sleep
  let discovered: Promise<Discovered> | undefined

  /** Looked up once; a failure is not remembered. */
  function endpoints(): Promise<Discovered['endpoints']> {
    discovered ??= discover(transport, origin, plaintext).catch((error: unknown) => {
      discovered = undefined
      throw error
    })
    return discovered.then((found) => found.endpoints)
  }

  const token = async (): Promise<Record<string, string>> => ({
    authorization: `Bearer ${await createWalletToken({ user: identity, audience: origin, now: now(), jti: randomId() })}`,
  })

  const inbox = watchInbox({
    transport,
    sleep: wait,
    token,
    url: async () => (await endpoints()).inbox_endpoint,
    onRefused: options.onRefused,
    question: {
      resolver,
      serverDid,
      audience: origin,
      userDid: identity.did,
      credentials: user.credentials,
      allowQuestionsAboutUnknownCredentials: options.allowQuestionsAboutUnknownCredentials === true,
      now,
    },
  })

  /** The same bytes each time: a lost receipt is asked for again. */
  async function post(url: string, message: Json): Promise<Json> {
    const body = jsonBytes(message)
    const { body: answer } = await again({ sleep: wait }, () =>
      call(transport, { url, method: 'POST', body }),
    )
    return answer
  }

  async function answer(response: ConfirmationResponse): Promise<ConfirmationReceipt> {
    const requestId = response.request_id
    const { confirmation_endpoint } = await endpoints()
    const receipt = await post(`${confirmation_endpoint}/${encodeURIComponent(requestId)}`, response)
    return verifyConfirmationReceipt(receipt, { requestId, now: now() })
  }

  async function targetOf(taken: Taken): Promise<{ target: RevocationTarget; expiresAt?: number }> {
    if ('grant' in taken) return { target: { kind: 'grant', id: taken.grant } }
    const target = { kind: 'credential', id: taken.credential } as const
    const expiresAt = taken.expiresAt ?? (await user.credentials.find(taken.credential))?.expiresAt
    return expiresAt === undefined ? { target } : { target, expiresAt }
  }

  return {
    origin,
    serverDid,
    ...inbox,
    approve: async (request, confirm) => answer(await user.confirm(request, confirm)),
    deny: async (request) => answer(await user.deny(request)),
    async grants() {
      const { grants_endpoint: url } = await endpoints()
      // A wallet token is good once: each attempt has its own.
      const { body } = await again({ sleep: wait }, async () =>
        call(transport, { url, method: 'GET', headers: await token() }),
      )
      return parseGrantsListing(body)
    },
    async revoke(taken, reason) {
      const { revocation_endpoint } = await endpoints()
      const revocation = await createRevocation({
        signer: identity,
        ...(await targetOf(taken)),
        audience: origin,
        ...(reason === undefined ? {} : { reason }),
        now: now(),
      })
      const receipt = await post(revocation_endpoint, revocation)
      const verify = async (fresh: boolean) => {
        const { document } = await resolver.resolve(serverDid, { fresh })
        const serverKeys = await keysOf(document, 'authentication')
        return verifyRevocationReceipt(receipt, { revocation, serverKeys, now: now() })
      }
      return verify(false).catch((error: HandshakeError) => {
        // The server may have changed its key since its document was cached (ATH-4.4).
        if (error.error === 'signature_invalid') return verify(true)
        throw error
      })
    },
  }
}
