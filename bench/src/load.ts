import { CONCURRENCY, send } from './connections.ts'
import { type Server, serverCpu } from './server-process.ts'

export interface Load {
  readonly method: 'POST' | 'PUT'
  readonly path: string
  readonly headers?: (n: number) => Record<string, string>
  readonly body: (n: number) => Uint8Array
}

export interface Cost {
  readonly perSecond: number
  /** Microseconds of the server's CPU for each. */
  readonly cpu: number
}

/** Sends everything, so many at a time. */
export async function load(
  server: Server,
  count: number,
  { method, path, headers, body }: Load,
): Promise<Cost> {
  let next = 0
  const begin = performance.now()
  const cpu = await serverCpu(server, async () => {
    const worker = async () => {
      for (let n = next++; n < count; n = next++) {
        const { status } = await send(server.origin + path, method, headers?.(n) ?? {}, body(n), server.ca)
        if (status !== 200) throw new Error(`${path} answered ${status}`)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  })
  return { perSecond: count / ((performance.now() - begin) / 1000), cpu: cpu / count }
}

export const loadSealed = (server: Server, requests: readonly Uint8Array[]): Promise<Cost> =>
  load(server, requests.length, {
    method: 'POST',
    path: '/ath/sealed',
    headers: () => ({ 'content-type': 'application/ath-sealed' }),
    body: (n) => requests[n] as Uint8Array,
  })
