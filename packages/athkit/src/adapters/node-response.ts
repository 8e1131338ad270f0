import type { ServerResponse } from 'node:http'
import { carried, headersOf } from '../service/carried.ts'

/** Sends a response; resolves when all of it was handed over, or the client is gone. */
export async function sendResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  const whole = carried(response)
  const headers: string[] = []
  let length = whole === undefined ? Number.NaN : whole.length
  // One cookie at a time: `set-cookie` is the one header that is not joined.
  for (const [name, value] of headersOf(response)) {
    if (name === 'content-length') length = Number(value)
    else headers.push(name, value)
  }
  if (!Number.isNaN(length)) headers.push('content-length', String(length))
  outgoing.writeHead(response.status, headers)
  if (whole !== undefined) outgoing.end(whole)
  else if (response.body === null) outgoing.end()
  else await sendBody(response.body.getReader(), outgoing, length)
}

/** Chunk by chunk, as fast as the client takes them; a body that breaks off breaks the connection off, so that it never looks whole. */
async function sendBody(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  outgoing: ServerResponse,
  length: number,
): Promise<void> {
  const cancel = () => void reader.cancel().catch(() => undefined)
  if (outgoing.destroyed) return cancel()
  outgoing.once('close', cancel)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done || outgoing.destroyed) break
      // All of it at once goes out in one piece with the head.
      if (value.length === length) {
        outgoing.off('close', cancel).end(value)
        return
      }
      if (!outgoing.write(value)) await drained(outgoing)
    }
    outgoing.off('close', cancel)
    outgoing.end()
  } catch {
    outgoing.destroy()
  }
}

/** Resolves when more can be written, or nothing any more. */
export function drained(outgoing: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      outgoing.off('drain', go).off('close', go)
      resolve()
    }
    outgoing.once('drain', go).once('close', go)
  })
}
