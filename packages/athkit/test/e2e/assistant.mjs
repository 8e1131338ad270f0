// An agent in a process of its own, which a test kills. Arguments: what to do, as JSON. It says what happens as JSON lines.
import { createAgent } from 'athkit/agent'
import { openFileVault } from 'athkit/vault-node'

const { file, origin, authorization, serverDid, requests = 0 } = JSON.parse(process.argv[2])
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
const vault = await openFileVault(file, { key: new Uint8Array(32).fill(1) })
const identity = await vault.identity()
const agent = createAgent({ identity, vault, allowPlaintextOnLoopback: true })

if (authorization === undefined && origin === undefined) say({ did: agent.did })
else {
  const session =
    authorization === undefined
      ? await agent.resume(origin)
      : await agent.connect(origin, {
          authorization,
          serverDid,
          scopes: ['goods:read', 'order:create'],
          keep: true,
          onPending: ({ bindingCode }) => say({ waiting: bindingCode }),
        })
  say({ connected: session.grant.scopes })
  const order = () => session.request('POST /api/order', { json: { amount: 1 } })
  const answers = await Promise.all(
    Array.from({ length: requests }, async () => {
      const answer = await order()
      const { order: number } = await answer.json()
      say({ order: number })
      return answer.status
    }),
  )
  say({ done: answers.every((status) => status === 201) })
}
