import { request } from 'node:https'
import { Readable } from 'node:stream'
import type { TLSSocket } from 'node:tls'

/** A `fetch` that trusts one authority, and notes which version of TLS it spoke. */
export function fetchWith(ca: string, protocols = new Set<string | null>()) {
  return (url: string, init: RequestInit & { duplex?: 'half' }) =>
    new Promise<Response>((resolve, reject) => {
      const method = init.method ?? 'GET'
      const headers = Object.fromEntries(new Headers(init.headers))
      const signal = init.signal ?? undefined
      const options = { method, headers, ca, agent: false, ...(signal === undefined ? {} : { signal }) }
      const outgoing = request(url, options, (incoming) => {
        protocols.add((incoming.socket as TLSSocket).getProtocol())
        const answered = new Headers(
          Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
        )
        const status = incoming.statusCode ?? 500
        const body = status === 204 ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
        resolve(new Response(body, { status, headers: answered }))
      })
      outgoing.on('error', reject)
      new Response(init.body ?? null).arrayBuffer().then((bytes) => outgoing.end(Buffer.from(bytes)), reject)
    })
}
