import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { freePort } from './servers/free-port.ts'

/** Shops, each a process on a port of its own, that are killed and start again. */
export interface Nodes {
  /** Ports of those that serve at present. */
  readonly serving: () => readonly number[]
  /** `kill -9`, and a new process on the same port. Resolves when it serves. */
  killOne(): Promise<void>
  readonly kills: number
  /** The shop's DID, the same for all of them. */
  readonly serverDid: string
  stop(): Promise<void>
}

interface Node {
  readonly port: number
  child: ChildProcess
  isServing: boolean
}

/** @param args of the shop, but for its port */
export async function startNodes(count: number, args: readonly string[]): Promise<Nodes> {
  const script = new URL('./shop.js', import.meta.resolve('@athkit-examples/shop/certificates')).pathname
  const nodes: Node[] = []
  let kills = 0
  let next = 0

  function launch(node: Pick<Node, 'port'>): { child: ChildProcess; ready: Promise<string> } {
    const child = spawn(process.execPath, [script, '--port', String(node.port), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    })
    const ready = new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }).once('line', resolve)
      child.once('exit', (code, signal) => reject(new Error(`a node ended with ${code ?? signal}`)))
    })
    ready.catch(() => undefined)
    return { child, ready }
  }

  async function start(): Promise<string> {
    const port = await freePort()
    const { child, ready } = launch({ port })
    nodes.push({ port, child, isServing: true })
    return ready
  }

  const [first = '{}'] = await Promise.all(Array.from({ length: count }, start))
  return {
    serverDid: (JSON.parse(first) as { server_did: string }).server_did,
    serving: () => nodes.filter(({ isServing }) => isServing).map(({ port }) => port),
    get kills() {
      return kills
    },
    async killOne() {
      const node = nodes[next++ % nodes.length] as Node
      const gone = new Promise((resolve) => node.child.once('exit', resolve))
      node.child.kill('SIGKILL')
      kills++
      await gone
      node.isServing = false
      const { child, ready } = launch(node)
      node.child = child
      await ready
      node.isServing = true
    },
    async stop() {
      await Promise.all(
        nodes.map(({ child }) => {
          if (child.exitCode !== null || child.signalCode !== null) return undefined
          const gone = new Promise((resolve) => child.once('exit', resolve))
          child.kill('SIGKILL')
          return gone
        }),
      )
    },
  }
}
