import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { makeLocalCertificates } from '../src/loopback/index.ts'
import type { createPeople, Running } from './ath.ts'

export interface RunningRegistry {
  readonly origin: string
  /** PEM file of its authority. */
  readonly ca: string
  stop(): Promise<void>
}

/** `ath registry` as a program; `origin` is what it says when it is ready. */
export async function startRegistry(
  { start, at }: ReturnType<typeof createPeople>,
  name: string,
  more: readonly string[] = [],
  db = name,
): Promise<RunningRegistry> {
  const ca = at(`${name}-ca.pem`)
  const running: Running = start('registry', ['registry', '--ca-file', ca, '--db', at(`${db}.db`), ...more])
  const [line] = (await once(running.child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return {
    origin: (JSON.parse(String(line)) as { origin: string }).origin,
    ca,
    async stop() {
      running.child.kill('SIGTERM')
      await running.ended
    },
  }
}

/** Stands before a registry; `onAnswer` is told of every answer to a submission before it is passed on, and may swallow it. */
export async function proxyOf(registry: RunningRegistry, onAnswer: () => 'pass' | 'swallow') {
  const { ca, cert, key } = await makeLocalCertificates()
  const upstream = readFileSync(registry.ca, 'utf8')
  const { request } = await import('node:https')
  const server: Server = createServer({ cert, key, minVersion: 'TLSv1.3' }, (incoming, outgoing) => {
    const options = { method: incoming.method, headers: { 'content-type': 'application/json' }, ca: upstream }
    const forwarded = request(`${registry.origin}${incoming.url}`, options, (answer) => {
      if (incoming.method === 'POST' && onAnswer() === 'swallow') return outgoing.destroy()
      outgoing.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' })
      return answer.pipe(outgoing)
    })
    incoming.pipe(forwarded)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, ca, close: () => server.close().closeAllConnections() }
}
