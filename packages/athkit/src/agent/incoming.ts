import { abortable } from '../client/index.ts'

/** What comes in, chunk by chunk, once there is a response. */
export interface Incoming {
  readonly chunks: AsyncGenerator<Uint8Array, void, undefined>
  begin(response: Response): void
  /** Whether it was read to its end: what is missing then will not come. */
  ended(): boolean
  cancel(): void
}

/** @param onDone when no more will be read, for whatever reason */
export function createIncoming(signal: AbortSignal, onDone: () => void): Incoming {
  let ended = false
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  const cancel = (): void => {
    reader?.cancel().catch(() => undefined)
    onDone()
  }
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      while (reader !== undefined) {
        const { done, value } = await abortable(reader.read(), signal)
        if (done) break
        yield value
      }
      ended = true
      onDone()
    } finally {
      if (!ended) cancel()
    }
  }
  return {
    chunks: chunks(),
    begin: (response) => {
      reader = response.body?.getReader()
    },
    ended: () => ended,
    cancel,
  }
}

/** A stream of a first chunk and what a generator makes, as fast as it is read. */
export function streamOf(
  first: Uint8Array | undefined,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
  onCancel: () => void = () => undefined,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        if (first !== undefined) controller.enqueue(first)
      },
      async pull(controller) {
        const { done, value } = await rest.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel() {
        onCancel()
        rest.return().catch(() => undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
