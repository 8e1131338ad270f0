import { createBodyHasher } from './body.ts'

/** A request body that its route asked to see as it comes (ATH-7.4). */
export interface StreamedBody {
  /** Errors where a record does not open or the last one is missing: a handler that reads to the end knows that it is whole. */
  readonly stream: ReadableStream<Uint8Array>
  /** Reads what the handler left, and gives the hash of all of it. @throws what the stream errors with */
  hash(): Promise<Uint8Array>
}

export function streamedBody(body: AsyncGenerator<Uint8Array, void, undefined>): StreamedBody {
  const hasher = createBodyHasher()
  let ended = false
  let failure: unknown
  async function next(): Promise<Uint8Array | undefined> {
    if (failure !== undefined) throw failure
    try {
      const { done, value } = ended ? { done: true, value: undefined } : await body.next()
      ended = done === true
      if (value !== undefined) await hasher.update(value)
      return value ?? undefined
    } catch (cause) {
      failure = cause
      throw cause
    }
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          const part = await next()
          if (part === undefined) return controller.close()
          if (part.length > 0) return controller.enqueue(part)
        }
      },
    },
    // Nothing is read before the handler asks for it.
    { highWaterMark: 0 },
  )
  return {
    stream,
    async hash() {
      while ((await next()) !== undefined) {
        // What the handler did not read counts as well.
      }
      return hasher.digest()
    },
  }
}
