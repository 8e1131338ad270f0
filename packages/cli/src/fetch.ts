import { Agent, request } from 'node:https'
import { Readable } from 'node:stream'
import { readText } from './files.ts'
import { Usage } from './trouble.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/**
 * A `fetch` over TLS 1.3 that follows no redirect. It trusts the platform's authorities, or instead of them those in a PEM file. Bodies
 * stream both ways.
 */
export const fetchTrusting = (caFile: string | undefined): Fetch =>
  fetchOver(caFile === undefined ? undefined : certificatesIn(caFile))

/** @param ca PEM */
export function fetchOver(ca: string | undefined): Fetch {
  const agent = new Agent({ keepAlive: true, minVersion: 'TLSv1.3', ...(ca === undefined ? {} : { ca }) })
  return async (url, init) => {
    const given = new Request(url, init)
    const headers = Object.fromEntries(given.headers)
    return new Promise<Response>((resolve, reject) => {
      const outgoing = request(
        url,
        { method: given.method, headers, agent, signal: given.signal },
        (incoming) => {
          const answered = new Headers()
          for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
            answered.append(incoming.rawHeaders[i] as string, incoming.rawHeaders[i + 1] as string)
          }
          const status = incoming.statusCode ?? 500
          const hasNone = status === 204 || status === 304
          const body = hasNone ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
          if (hasNone) incoming.resume()
          resolve(new Response(body, { status, headers: answered }))
        },
      )
      outgoing.on('error', reject)
      if (given.body === null) outgoing.end()
      else
        Readable.fromWeb(given.body as Parameters<typeof Readable.fromWeb>[0])
          .on('error', reject)
          .pipe(outgoing)
    })
  }
}

/** @throws Usage for a file without any */
export function certificatesIn(file: string): string {
  const text = readText(file)
  // An empty list would be trusted by nobody, and said so by no sentence that helps.
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new Usage(`${file} holds no certificate: --ca takes PEM, with BEGIN CERTIFICATE in it`)
}
