import { type ChildProcess, fork } from 'node:child_process'
import type { Question } from './server.ts'

export interface Server {
  readonly origin: string
  readonly serverDid: string
  readonly ca: string
  ask<T>(question: Question): Promise<T>
  stop(): void
}

/**
 * @param store as `openStore` takes it
 * @param node of a service of several: PKCS#8 PEM of its key, and the origin of its first node
 */
export function startServer(
  userDid: string,
  transport: 'TLS' | 'plain',
  store = 'memory',
  ...node: readonly string[]
): Promise<Server> {
  const child = fork(new URL('./server.js', import.meta.url), [userDid, transport, store, ...node])
  return next<Pick<Server, 'origin' | 'serverDid' | 'ca'>>(child).then((ready) => ({
    ...ready,
    ask: (question) => {
      const answer = next<never>(child)
      child.send(question)
      return answer
    },
    stop: () => child.disconnect(),
  }))
}

const next = <T>(child: ChildProcess) =>
  new Promise<T>((resolve) => child.once('message', (message) => resolve(message as T)))

/** Microseconds of the server's CPU while something runs. */
export async function serverCpu(server: Server, work: () => Promise<unknown>): Promise<number> {
  const before = await server.ask<NodeJS.CpuUsage>('cpu')
  await work()
  const after = await server.ask<NodeJS.CpuUsage>('cpu')
  return after.user + after.system - before.user - before.system
}
