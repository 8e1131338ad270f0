import { Agent, createServer, request, type Server } from 'node:https'
import type { LocalCertificates } from '@athkit-examples/shop/certificates'

/**
 * A balancer before the nodes: each request to the next one, so that no two of a session need come to the same. One that died while it
 * had a request gets nobody an answer: the client sees its connection break off, as it would on a real one.
 */
export function startBalancer(
  port: number,
  { ca, cert, key }: LocalCertificates,
  serving: () => readonly number[],
): Promise<Server> {
  const agent = new Agent({ keepAlive: true, ca, minVersion: 'TLSv1.3', maxSockets: 64 })
  let turn = 0
  const server = createServer({ cert, key, minVersion: 'TLSv1.3' }, (incoming, outgoing) => {
    const ports = serving()
    const to = ports[turn++ % ports.length]
    if (to === undefined) return void outgoing.writeHead(503, { 'retry-after': '1' }).end()
    const { method, url, headers } = incoming
    const forwarded = request(
      { host: '127.0.0.1', servername: 'localhost', port: to, agent, method, path: url, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
        answer.on('error', () => outgoing.destroy())
      },
    )
    forwarded.on('error', () => outgoing.destroy())
    outgoing.on('close', () => forwarded.destroy())
    incoming.pipe(forwarded)
  })
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
