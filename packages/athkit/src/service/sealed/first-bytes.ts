/** The beginning of a body: all of it where it is there at once, else what came first, and the reader for the rest. */
export type FirstBytes =
  | { readonly whole: Uint8Array }
  | { readonly first: Uint8Array; readonly reader: Reader; readonly next: Promise<ReadResult> }

export type Reader = ReadableStreamDefaultReader<Uint8Array>
export type ReadResult = ReadableStreamReadResult<Uint8Array>

/** Turns of the microtask queue that a body made of one value takes to say that it is over. */
const TURNS = 16

const EMPTY = new Uint8Array()

/**
 * Most answers are made of one value. Waiting for a stream to end would hold back an event stream, so the end is waited for only
 * as long as nothing else happens in the process.
 *
 * @throws whatever the body fails with before anything of it was sent
 * @param isStream whether the first bytes may take their time: then nothing is waited for
 */
export async function firstBytes(body: ReadableStream<Uint8Array>, isStream: boolean): Promise<FirstBytes> {
  const reader = body.getReader()
  if (isStream) return { first: EMPTY, reader, next: reader.read() }
  const head = reader.read()
  const first = await settledSoon(head)
  if (first === undefined) return { first: EMPTY, reader, next: head }
  if (first.done) return { whole: EMPTY }
  const next = reader.read()
  const second = await settledSoon(next)
  return second?.done === true ? { whole: first.value } : { first: first.value, reader, next }
}

async function settledSoon(read: Promise<ReadResult>): Promise<ReadResult | undefined> {
  let result: ReadResult | undefined
  let failed = false
  read.then(
    (settled) => {
      result = settled
    },
    () => {
      failed = true
    },
  )
  for (let turn = 0; turn < TURNS && result === undefined && !failed; turn++) await undefined
  return failed ? read : result
}
