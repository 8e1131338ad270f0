import { concat, toBase64url } from '../../crypto/bytes.ts'
import type { ServiceContext } from '../context.ts'
import type { Answer } from './answer.ts'
import type { Dispatched } from './dispatch.ts'
import { firstBytes } from './first-bytes.ts'
import { finishClaim, type HeldClaim, isKeepable, releaseClaim } from './idempotency.ts'

/** Of a longer answer only the status is kept (ATH-7.7). */
const MOST_KEPT_BYTES = 1_048_576

export interface Keeping {
  readonly context: ServiceContext
  /** Of the pair. */
  readonly partition: string
  readonly held: HeldClaim
  /** The hash of a request body that streamed, known once it has been read. */
  readonly bodyHash?: () => Promise<Uint8Array>
}

/**
 * Keeps the handler's answer before its last byte is sent, so that whoever has it in full and asks again gets it again. A refusal
 * of ATH's own, 429 and 503 free the key instead.
 */
export async function keepAnswer(keeping: Keeping, { answer, scopes }: Dispatched): Promise<Answer> {
  const { context, partition, held } = keeping
  if (answer.ath === true || !isKeepable(answer.status)) {
    await releaseClaim(context, partition, held)
    return answer
  }
  const { body } = answer
  if (body === null || body instanceof Uint8Array) {
    await keep(keeping, answer, scopes, body ?? new Uint8Array())
    return answer
  }
  const isEventStream = answer.headers.some(
    ([name, value]) => name === 'content-type' && value.startsWith('text/event-stream'),
  )
  const bytes = await firstBytes(body, isEventStream)
  if ('whole' in bytes) {
    await keep(keeping, answer, scopes, bytes.whole)
    return { ...answer, body: bytes.whole }
  }
  return { ...answer, body: collecting(keeping, answer, scopes, bytes) }
}

async function keep(
  { context, partition, held, bodyHash }: Keeping,
  { status, headers }: Answer,
  scopes: readonly string[],
  body: Uint8Array | undefined,
): Promise<void> {
  let hashed = {}
  try {
    if (bodyHash !== undefined) hashed = { bodyHash: toBase64url(await bodyHash()) }
  } catch {
    // Nobody can send the same request again when the first was not whole.
    return finishClaim(context, partition, held, undefined, status >= 400)
  }
  const isSmall = body !== undefined && body.length <= MOST_KEPT_BYTES
  const answer = isSmall ? { status, headers, body: toBase64url(body) } : { status, headers: [] }
  await finishClaim(context, partition, held, { answer: { ...answer, ...hashed }, scopes }, status >= 400)
}

type Beginning = Exclude<Awaited<ReturnType<typeof firstBytes>>, { readonly whole: Uint8Array }>

/** The same stream, collected as it passes; one that breaks off leaves an outcome that nobody knows. */
function collecting(
  keeping: Keeping,
  answer: Answer,
  scopes: readonly string[],
  { first, reader, next }: Beginning,
): ReadableStream<Uint8Array> {
  const { context, partition, held } = keeping
  const parts: Uint8Array[] = []
  let length = 0
  let pending = next
  const collect = (part: Uint8Array) => {
    length += part.length
    if (length <= MOST_KEPT_BYTES) parts.push(part)
    else parts.length = 0
  }
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (first.length === 0) return
      collect(first)
      controller.enqueue(first)
    },
    async pull(controller) {
      try {
        const { done, value } = await pending
        if (done) {
          await keep(keeping, answer, scopes, length <= MOST_KEPT_BYTES ? concat(...parts) : undefined)
          controller.close()
          return
        }
        pending = reader.read()
        collect(value)
        controller.enqueue(value)
      } catch (cause) {
        await finishClaim(context, partition, held, undefined, answer.status >= 400)
        controller.error(cause)
      }
    },
    async cancel(reason) {
      await finishClaim(context, partition, held, undefined, answer.status >= 400)
      await reader.cancel(reason)
    },
  })
}
