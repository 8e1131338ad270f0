import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { toNodeListener } from '../../athkit/src/adapters/node.ts'
import { generateSigner } from '../../athkit/src/crypto/keys.ts'
import { didFromKey } from '../../athkit/src/did/did.ts'
import { createFake, type FakeOptions } from '../../athkit/test/agent/fake-server.ts'
import type { LocalCertificates } from '../src/loopback/certificates.ts'

export interface Hostile {
  readonly origin: string
  readonly serverDid: string
  /** Requests that were opened in sessions. */
  readonly served: () => readonly string[]
  /** Whether every session was ended by the agent. */
  readonly ended: () => boolean
  close(): void
}

export const anybody = async () => {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}

/** A server over TLS 1.3 that keeps to the protocol but for what it is told to do otherwise. */
export async function startHostile(
  { cert, key }: LocalCertificates,
  options: FakeOptions | ((server: Awaited<ReturnType<typeof anybody>>) => FakeOptions),
): Promise<Hostile> {
  const server = createServer({ cert, key, minVersion: 'TLSv1.3' })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const identity = await anybody()
  const clock = {
    get now() {
      return Math.floor(Date.now() / 1000)
    },
  }
  const hooks = typeof options === 'function' ? options(identity) : options
  const fake = createFake({ ...hooks, origin, server: identity, clock })
  const listener = toNodeListener((request) => {
    const { pathname } = new URL(request.url)
    return fake.fetch(origin + pathname, {
      method: request.method,
      headers: request.headers,
      body: request.body,
      signal: request.signal,
    })
  })
  server.on('request', listener)
  return {
    origin,
    serverDid: identity.did,
    served: () => [...fake.sessions.values()].flatMap(({ inner }) => inner.map(({ path }) => path)),
    ended: () => [...fake.sessions.values()].every(({ ended }) => ended),
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
