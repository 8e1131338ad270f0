import { type OutgoingHttpHeaders, request as send } from 'node:http'
import { connect, type Socket } from 'node:net'
import { stops } from './echo.ts'

export interface Raw {
  readonly method?: string
  readonly path?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: Uint8Array
}

/** What the socket says, without what no two answers share. */
export function raw(port: number, { method = 'POST', path = '/ath/sealed', headers = {}, body }: Raw) {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      const request = send({ port, host: '127.0.0.1', method, path, headers }, async (incoming) => {
        const { date: _, ...rest } = incoming.headers
        const text = Buffer.concat(await incoming.toArray()).toString()
        const stable = text.replace(/"timestamp":\d+/, '"timestamp":0')
        resolve({ status: incoming.statusCode, headers: rest, body: stable })
      })
      request.on('error', reject)
      request.end(body)
    },
  )
}

export async function until(check: () => boolean): Promise<boolean> {
  const end = Date.now() + 2000
  while (!check() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
  return check()
}

/** Writes the beginning of a request. @returns whether the answer begins so before there is more, and the socket */
export async function begin(
  port: number,
  parts: readonly (string | Uint8Array)[],
  answer: string,
): Promise<{ readonly isSaid: boolean; readonly socket: Socket }> {
  const socket = connect(port, '127.0.0.1')
  stops.push(() => socket.destroy())
  socket.on('error', () => undefined)
  let said = ''
  socket.on('data', (data) => {
    said += data
  })
  for (const part of parts) socket.write(part)
  return { isSaid: await until(() => said.startsWith(answer)), socket }
}
