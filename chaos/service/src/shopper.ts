import { type AgentSession, createAgent, ScopesDenied } from 'athkit/agent'
import { generateSigner } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { AthError, HandshakeError } from 'athkit/errors'
import { createUser } from 'athkit/user'
import { type Told, tell } from './audit.ts'
import type { Fetching } from './fetch.ts'

/** What came of the load. */
export interface Tally {
  handshakes: number
  /** By the key they were asked under: the order that the shop acknowledged with 201. */
  readonly acknowledged: Map<string, { readonly orderId: string; readonly userDid: string }>
  readonly told: Told
  /** Requests and handshakes that ended in a refusal or a failure of the library's own, by its name. */
  readonly refused: Map<string, number>
  /** Whatever else was thrown: none is right. */
  readonly unclear: string[]
}

export interface Shopper {
  readonly userDid: string
  /** Until the signal: handshakes, and orders under each session. */
  shop(serverDid: string, signal: AbortSignal): Promise<void>
}

/** An agent that does not know what became of an order asks again, under the same key. */
const MOST_TRIES = 5

/** @param ordersOfASession how many orders it makes before it shakes hands anew */
export async function createShopper(
  origin: string,
  { fetch }: Fetching,
  tally: Tally,
  ordersOfASession: number,
): Promise<Shopper> {
  const [agentParty, userParty] = [await party(), await party()]
  const user = createUser({ identity: userParty })
  const agent = createAgent({ identity: agentParty, fetch })
  const scopes = ['goods:read', 'order:create']
  /** Keys of orders of which nobody knows yet what became, and how often they were asked for. */
  const open = new Map<string, number>()

  async function connect(serverDid: string): Promise<AgentSession> {
    const asked = { clientDid: agentParty.did, scopes, audience: [serverDid, origin], expiresInSeconds: 3600 }
    const session = await agent.connect(origin, { authorization: await user.authorize(asked), scopes })
    tally.handshakes++
    tell(tally.told, 'identity proven', agentParty.did)
    tell(tally.told, 'scopes decided', agentParty.did)
    tell(tally.told, 'token issued', session.grant.id)
    return session
  }

  async function order(session: AgentSession, key: string): Promise<void> {
    const headers = { 'Idempotency-Key': key }
    const response = await session.request('POST /api/order', {
      json: { goods_id: '200', quantity: 1 },
      headers,
    })
    const { order_id: orderId = '' } = (await response.json()) as { order_id?: string }
    if (response.status !== 201) throw new Error(`an order was answered ${response.status}`)
    tally.acknowledged.set(key, { orderId, userDid: userParty.did })
    open.delete(key)
  }

  /** Beyond the limit of an order: refused, which is written down. */
  async function orderTooMuch({ grant, request }: AgentSession): Promise<void> {
    const refused = await request('POST /api/order', { json: { goods_id: '123', quantity: 900 } }).catch(
      (error: unknown) => error,
    )
    note(tally, refused)
    if (refused instanceof HandshakeError && refused.error === 'restriction_violated') {
      tell(tally.told, 'restriction violated', grant.id)
    }
  }

  async function rotate(session: AgentSession): Promise<void> {
    await session.rotate()
    tell(tally.told, 'keys rotated', session.grant.id)
  }

  /** @returns whether the session goes on */
  async function orderOne(session: AgentSession): Promise<boolean> {
    const key = open.keys().next().value ?? crypto.randomUUID()
    const tries = (open.get(key) ?? 0) + 1
    open.delete(key)
    try {
      open.set(key, tries)
      await order(session, key)
      return true
    } catch (error) {
      note(tally, error)
      if (isSettled(error) || tries >= MOST_TRIES) open.delete(key)
      return !isOver(error)
    }
  }

  return {
    userDid: userParty.did,
    async shop(serverDid, signal) {
      while (!signal.aborted) {
        try {
          const session = await connect(serverDid)
          let goesOn = true
          for (let i = 0; i < ordersOfASession && goesOn && !signal.aborted; i++)
            goesOn = await orderOne(session)
          if (goesOn) {
            await orderTooMuch(session)
            await rotate(session)
          }
          await session.close()
        } catch (error) {
          note(tally, error)
          await new Promise((done) => setTimeout(done, 200))
        }
      }
    },
  }
}

/** Asking again gets the same answer. */
const isSettled = (error: unknown) =>
  error instanceof HandshakeError && ['outcome_unknown', 'idempotency_conflict'].includes(error.error)

/** The session is no more, or nobody answers. */
const isOver = (error: unknown) =>
  error instanceof AthError || (error instanceof HandshakeError && error.error.startsWith('session_'))

function note(tally: Tally, error: unknown): void {
  const name =
    error instanceof HandshakeError
      ? error.error
      : error instanceof AthError
        ? error.trouble
        : error instanceof ScopesDenied
          ? 'scopes_denied'
          : undefined
  if (name === undefined) tally.unclear.push(String((error as Error)?.stack ?? error))
  else tally.refused.set(name, (tally.refused.get(name) ?? 0) + 1)
}

async function party() {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}
