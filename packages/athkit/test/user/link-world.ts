import type { Fetch } from '../../src/client/index.ts'
import type { Json, JsonObject } from '../../src/crypto/json.ts'
import { decodeJwt } from '../../src/crypto/jws.ts'
import { generateSigner } from '../../src/crypto/keys.ts'
import { didFromKey } from '../../src/did/did.ts'
import { documentOfKey } from '../../src/did/document.ts'
import { AthError, HandshakeError } from '../../src/errors.ts'
import * as h from '../../src/handshake/index.ts'
import * as m from '../../src/messages/index.ts'
import { createUser, rememberedOf, type WalletLinkOptions } from '../../src/user/index.ts'

export const NOW = 1_717_200_000
export const ORIGIN = 'https://shop.example'

export async function party(): Promise<h.Identity> {
  const signer = await generateSigner('ES256')
  return { did: didFromKey(signer.publicKey), signer }
}

export interface Script {
  /** What the inbox gives at each opening, or poll; the last one for ever. */
  readonly streams?: readonly (() => Response | Promise<Response>)[]
  readonly link?: Partial<WalletLinkOptions>
  /** Comes before everything. */
  readonly intercept?: (
    path: string,
    body: JsonObject | undefined,
  ) => Response | Promise<Response> | undefined
  readonly receipt?: (receipt: JsonObject) => JsonObject
}

/** A user, a server that asks them, and the wire between them. */
export async function linkWorld(script: Script = {}) {
  const [server, userParty, agent] = await Promise.all([party(), party(), party()])
  const clock = { now: NOW }
  const user = createUser({ identity: userParty, now: () => clock.now })
  const credential = await user.authorize({
    clientDid: agent.did,
    scopes: ['goods:read', 'order:create'],
    expiresInSeconds: 7200,
  })
  const { id: credentialId } = await rememberedOf(credential)
  const calls: { path: string; headers: Headers; body: JsonObject | undefined }[] = []
  const tokens: JsonObject[] = []
  let opened = 0

  const question = (more: Partial<h.ConfirmationRequestOptions> = {}): Promise<h.ConfirmationRequest> =>
    h.createConfirmationRequest({
      server,
      requestId: 'req_1',
      clientDid: agent.did,
      clientInfo: { name: 'Assistant' },
      userDid: user.did,
      audience: ORIGIN,
      credentialId,
      scopeRequestHash: 'H',
      scopes: ['goods:read', 'order:create'],
      scopeDescriptions: new Map([['goods:read', 'Search products']]),
      context: 'Find a phone',
      ttl: 3600,
      restrictions: { order_amount_limit: 5000 },
      bindingCode: '42',
      expiresAt: clock.now + 300,
      now: clock.now,
      ...more,
    })

  async function route(path: string, body: JsonObject | undefined): Promise<Response> {
    if (path === '/.well-known/ath-app.json') return json(200, { server_did: server.did })
    if (path === '/ath/inbox') {
      const streams = script.streams ?? []
      const make = streams[Math.min(opened++, streams.length - 1)]
      return make === undefined ? json(200, { pending: [] }) : make()
    }
    if (path.startsWith('/ath/confirmations/')) {
      const { approved } = await h.verifyConfirmationResponse(body ?? null, {
        request: await asked,
        userKeys: [userParty.signer.publicKey],
        now: clock.now,
      })
      answers.push(approved)
      const receipt = m.createConfirmationReceipt(path.split('/')[3] ?? '', clock.now)
      return json(200, script.receipt?.(receipt) ?? receipt)
    }
    if (path === '/ath/revocations') {
      const revocation = await m.verifyRevocation(body ?? null, {
        now: clock.now,
        origins: [ORIGIN],
        keysOf: () => [userParty.signer.publicKey],
      })
      revoked.push(revocation)
      const receipt = await m.createRevocationReceipt({ server: server.signer, revocation, now: clock.now })
      return json(200, script.receipt?.(receipt) ?? receipt)
    }
    return json(200, m.createGrantsListing([]))
  }

  const asked = question()
  const answers: (readonly string[])[] = []
  const revoked: m.Revocation[] = []
  const fetch: Fetch = async (url, init) => {
    const { pathname } = new URL(url)
    const text = init.body === null || init.body === undefined ? '' : await new Response(init.body).text()
    const body: JsonObject | undefined = text === '' ? undefined : JSON.parse(text)
    const headers = new Headers(init.headers)
    calls.push({ path: pathname, headers, body })
    const bearer = headers.get('authorization')
    if (bearer !== null) tokens.push(decodeJwt(bearer.slice(7)).claims)
    const intercepted = await script.intercept?.(pathname, body)
    if (intercepted !== undefined) return intercepted
    try {
      return await route(pathname, body)
    } catch (error) {
      if (error instanceof HandshakeError) return json(error.code, { ...error.toWire(clock.now) })
      throw error
    }
  }

  const refusedQuestions: string[] = []
  const link = user.linkTo({
    origin: ORIGIN,
    serverDid: server.did,
    fetch,
    sleep: async (_, signal) => {
      await new Promise((resolve) => setImmediate(resolve))
      signal?.throwIfAborted()
    },
    onRefused: ({ error }) => void refusedQuestions.push(error),
    answerWithin: 500,
    ...script.link,
  })
  return {
    server,
    user,
    userParty,
    agent,
    clock,
    credential,
    credentialId,
    link,
    question,
    asked,
    calls,
    tokens,
    answers,
    revoked,
    refusedQuestions,
    fetch,
  }
}

export const json = (status: number, body: Json, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })

/** An event stream of these texts, each a chunk; it stays open where it is told to. */
export function events(chunks: readonly string[], options: { readonly open?: boolean } = {}): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
      if (options.open !== true) controller.close()
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

export const eventOf = (message: JsonObject): string => `id: 1\ndata: ${JSON.stringify(message)}\n\n`

export async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
  } catch (error) {
    if (error instanceof HandshakeError) return error.error
    if (error instanceof AthError) return error.trouble
    throw error
  }
  throw new Error('it was not refused')
}

export const documentOf = (identity: h.Identity) => documentOfKey(identity.did, identity.signer.publicKey)

/** The first so many questions. */
export async function take(
  questions: AsyncIterable<h.ConfirmationRequest>,
  count: number,
  stop: AbortController,
) {
  const taken: h.ConfirmationRequest[] = []
  for await (const question of questions) {
    taken.push(question)
    if (taken.length === count) stop.abort()
  }
  return taken
}
