import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createUser } from 'athkit/user'
import type { Task } from './heap-agent.ts'
import { party } from './party.ts'
import { SCOPES, startShop } from './shop.ts'

/**
 * Bytes that an agent holds after so many sealed requests each, garbage collected.
 *
 * @param script of the agent, compiled
 */
export async function heapAfter(
  measureAt: readonly number[],
  script = new URL('./heap-agent.js', import.meta.url),
): Promise<readonly number[]> {
  const userParty = await party()
  const shop = await startShop({ userDid: userParty.did, asks: false })
  const child = fork(script, { execArgv: ['--expose-gc'] })
  try {
    const [{ did }] = (await once(child, 'message')) as [{ did: string }]
    const authorization = await createUser({ identity: userParty }).authorize({
      clientDid: did,
      scopes: SCOPES,
      expiresInSeconds: 3600,
      audience: shop.identity.did,
    })
    child.send({ origin: shop.origin, authorization, measureAt } satisfies Task)
    const died = once(child, 'exit').then(([status]) => {
      throw new Error(`the agent ended with ${status}`)
    })
    const [{ heaps }] = (await Promise.race([once(child, 'message'), died])) as [{ heaps: number[] }]
    return heaps
  } finally {
    child.kill()
    shop.stop()
  }
}
