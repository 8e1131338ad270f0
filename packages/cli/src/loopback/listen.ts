import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface ServerCertificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

/** Milliseconds for whoever sends slowly, or nothing: connections are not held for nothing. Streamed answers are not requests. */
const PATIENCE = {
  handshakeTimeout: 10_000,
  headersTimeout: 15_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 5000,
}

export interface Listening {
  /** `https://localhost` and the port. */
  readonly origin: string
  readonly port: number
  readonly servers: readonly Server[]
  /** Ends every connection. */
  close(): void
}

/**
 * TLS 1.3 on both loopback addresses, under one port.
 *
 * @param port 0 takes a free one
 * @param host another address instead, such as `0.0.0.0` in a container
 */
export async function listenOnLoopback(
  { cert, key }: ServerCertificate,
  port: number,
  host?: string,
): Promise<Listening> {
  const make = () => createServer({ cert, key, minVersion: 'TLSv1.3', ...PATIENCE })
  const first = await bound(make(), port, host ?? '127.0.0.1')
  const { port: taken } = first.address() as AddressInfo
  // A machine without IPv6 has one address to listen on.
  const second = host === undefined ? await bound(make(), taken, '::1').catch(() => undefined) : undefined
  const servers = second === undefined ? [first] : [first, second]
  return {
    origin: `https://localhost:${taken}`,
    port: taken,
    servers,
    close() {
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}

function bound(server: Server, port: number, host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve(server.off('error', reject)))
  })
}
