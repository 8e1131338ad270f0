import { expect, test } from 'vitest'
import { createAgent } from '../../src/agent/index.ts'
import type { Fetch } from '../../src/client/index.ts'
import { createRevocation } from '../../src/messages/revocation.ts'
import { memory } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { createUser } from '../../src/user/index.ts'
import { ORIGIN, open, shop } from './shop.ts'

/** One store as two nodes see it, each call some milliseconds away; how many is the same in every run. */
function farAway(kept: Store, seed: number): Store {
  let state = seed
  const wait = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return new Promise((resolve) => setTimeout(resolve, (state >>> 16) % 6))
  }
  const transact = async (...given: Parameters<Store['transact']>) => {
    await wait()
    return kept.transact(...given)
  }
  return { ...kept, transact: transact as Store['transact'] }
}

/** An agent whose messages of the handshake come to two nodes at once, and a user who takes the grant back by the question's name. */
async function raced(seed: number) {
  const kept = memory()
  const at = await shop({ restrictions: {} }, { store: farAway(kept, seed) })
  const other = open({ ...at, store: farAway(kept, seed + 1) }, { restrictions: {} })
  for (const { service } of [at, other]) service.setApplication(() => new Response('ok'))
  const bothNodes: Fetch = async (url, init = {}) => {
    const { pathname } = new URL(url)
    const { method = 'GET', body = null } = init
    const headers = Object.fromEntries(new Headers(init.headers))
    const send = (node: typeof at) => node.raw(method, pathname, body as BodyInit | null, { headers })
    if (!pathname.startsWith('/ath/handshake/')) return send(at)
    const nodes = seed % 2 === 0 ? [at, other] : [other, at]
    const [first] = await Promise.all(nodes.map(send))
    return first as Response
  }
  const agent = createAgent({ identity: at.agent, now: () => at.clock.now, fetch: bothNodes })
  const authorization = await createUser({ identity: at.user, now: () => at.clock.now }).authorize({
    clientDid: at.agent.did,
    scopes: ['goods:read'],
    audience: at.server.did,
    expiresInSeconds: 3600,
  })
  const wish = { authorization, scopes: ['goods:read'], onPending: () => undefined }
  const connecting = agent.connect(ORIGIN, wish)
  let requestId: string | undefined
  while (requestId === undefined) {
    const [question] = await at.wallet.pending()
    if (question === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
    else {
      requestId = question.request_id
      await at.wallet.post(question, await at.wallet.respond(question))
    }
  }
  const session = await connecting
  expect((await session.fetch('/')).status).toBe(200)
  const revocation = await createRevocation({
    signer: at.user,
    target: { kind: 'grant', id: requestId },
    audience: ORIGIN,
    reason: 'stop',
    now: at.clock.now,
  })
  expect((await at.call('POST', '/ath/revocations', revocation)).status).toBe(200)
  return session.fetch('/').then(
    ({ status }) => status,
    ({ error }: { readonly error?: string }) => error,
  )
}

test('a grant whose handshake two nodes answered at once ends by the name of its question (ATH-8)', async () => {
  const said = await Promise.all(Array.from({ length: 24 }, (_, i) => raced(7 * i)))
  expect(new Set(said)).toEqual(new Set(['grant_revoked']))
})
