/** Many sealed requests at a time while the keys change: every one is answered once, and placed once. */
import { createAgent } from 'athkit/agent'
import { createUser } from 'athkit/user'
import { party } from './party.ts'
import { SCOPES, startShop } from './shop.ts'

export interface Load {
  readonly answered: number
  /** Orders at the shop, each as often as it was placed. */
  readonly orders: readonly string[]
  /** What answers did not belong to their requests. */
  readonly strangers: number
  /** Epochs that the keys came to, in order. */
  readonly epochs: readonly number[]
  readonly seconds: number
}

/** @param rotations how often the keys are changed, evenly spread over the answers */
export async function load(requests: number, rotations: number): Promise<Load> {
  const [agentParty, userParty] = await Promise.all([party(), party()])
  const shop = await startShop({ userDid: userParty.did, asks: false })
  try {
    const user = createUser({ identity: userParty })
    const agent = createAgent({ identity: agentParty, allowPlaintextOnLoopback: true })
    const session = await agent.connect(shop.origin, {
      authorization: await user.authorize({
        clientDid: agentParty.did,
        scopes: SCOPES,
        expiresInSeconds: 3600,
        audience: shop.identity.did,
      }),
      scopes: SCOPES,
    })
    let answered = 0
    let strangers = 0
    const epochs: number[] = []
    let due = 0
    let rotating: Promise<unknown> = Promise.resolve()
    const each = Math.floor(requests / (rotations + 1))
    const order = async (number: number): Promise<void> => {
      const ref = `order-${number}`
      const response = await session.request('POST /api/order', { json: { ref } })
      const answer = (await response.json()) as { ref?: string }
      if (response.status !== 201 || answer.ref !== ref) strangers++
      if (++answered % each !== 0 || due >= rotations) return
      due++
      // One after the other: of two at a time the agent makes one.
      rotating = rotating.then(() => session.rotate()).then((epoch) => epochs.push(epoch))
    }
    const started = performance.now()
    await Promise.all(Array.from({ length: requests }, (_, number) => order(number)))
    await rotating
    const seconds = (performance.now() - started) / 1000
    await session.close()
    return { answered, orders: shop.orders, strangers, epochs, seconds }
  } finally {
    shop.stop()
  }
}
