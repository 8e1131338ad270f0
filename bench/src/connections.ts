import http from 'node:http'
import https from 'node:https'

/** How many requests are under way at a time. */
export const CONCURRENCY = 32

const plain = new http.Agent({ keepAlive: true, maxSockets: CONCURRENCY })
const overTls = new Map<string, https.Agent>()

function tlsAgent(ca: string): https.Agent {
  const known = overTls.get(ca)
  if (known !== undefined) return known
  const agent = new https.Agent({ keepAlive: true, maxSockets: CONCURRENCY, ca, minVersion: 'TLSv1.3' })
  overTls.set(ca, agent)
  return agent
}

export interface Answer {
  readonly status: number
  readonly headers: [string, string][]
  readonly body: Buffer
}

/** One request over connections that are kept. @param ca for `https:` URLs */
export function send(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  ca: string,
): Promise<Answer> {
  const isTls = url.startsWith('https:')
  const { request } = isTls ? https : http
  const options = {
    method,
    agent: isTls ? tlsAgent(ca) : plain,
    headers: { ...headers, 'content-length': body.length },
  }
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('end', () => {
        const given = Object.entries(incoming.headers).map(([name, value]): [string, string] => [
          name,
          String(value),
        ])
        resolve({ status: incoming.statusCode ?? 0, headers: given, body: Buffer.concat(chunks) })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** The same as a `fetch`, for the agent. */
export const fetchWith =
  (ca: string) =>
  async (url: string, init: RequestInit): Promise<Response> => {
    const given = new Request(url, init)
    const { status, headers, body } = await send(
      url,
      given.method,
      Object.fromEntries(given.headers),
      new Uint8Array(await given.arrayBuffer()),
      ca,
    )
    return new Response(status === 204 ? null : new Uint8Array(body), { status, headers })
  }

export function closeConnections(): void {
  plain.destroy()
  for (const agent of overTls.values()) agent.destroy()
}
