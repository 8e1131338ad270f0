// An agent with all its secrets at work; then its heap is written to a file, as a crash reporter would.
import { writeHeapSnapshot } from 'node:v8'
import { createAgent } from 'athkit/agent'
import { openFileVault } from 'athkit/vault-node'

const { file, dump, origin, authorization, serverDid } = JSON.parse(process.argv[2])
const vault = await openFileVault(file, { key: new Uint8Array(32).fill(1) })
const identity = await vault.identity()
const agent = createAgent({ identity, vault, allowPlaintextOnLoopback: true })
if (authorization === undefined) {
  process.stdout.write(agent.did)
} else {
  const session = await agent.connect(origin, {
    authorization,
    serverDid,
    scopes: ['goods:read'],
    keep: true,
  })
  await session.fetch('/api/goods')
  await session.rotate()
  await session.fetch('/api/goods')
  const waiting = agent.connect(origin, {
    authorization,
    serverDid,
    scopes: ['order:create'],
    onPending: () =>
      setTimeout(() => {
        globalThis.held = [vault, identity, agent, session, waiting]
        writeHeapSnapshot(dump)
        process.exit(0)
      }, 200),
  })
  await waiting
}
