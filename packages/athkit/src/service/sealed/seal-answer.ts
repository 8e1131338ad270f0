import { concat, uint32, utf8 } from '../../crypto/bytes.ts'
import { randomBytes } from '../../crypto/random.ts'
import { sealWhole } from '../../session/exchange.ts'
import { encodeResponseHeader } from '../../session/header.ts'
import { createSealer, exchangeKey, MOST_PLAINTEXT } from '../../session/records.ts'
import type { ServiceContext } from '../context.ts'
import { KEYS_LIVE_SECONDS } from '../windows.ts'
import type { Answer } from './answer.ts'
import { type FirstBytes, firstBytes } from './first-bytes.ts'
import type { Received, SealedBody } from './receive.ts'
import { nodeState } from './state.ts'

const NO_BYTES = new Uint8Array()

/**
 * Seals an answer under a key of its own (ATH-7.3): in one piece where all of it is there, else record by record as it comes.
 *
 * @throws RangeError when its head does not fit into record 0: nothing has been sent then
 */
export async function sealAnswer(
  context: ServiceContext,
  received: Received,
  answer: Answer,
): Promise<SealedBody> {
  const { status, headers, ath } = answer
  const head = utf8(JSON.stringify(ath === true ? { status, headers, ath } : { status, headers }))
  if (head.length + 4 > MOST_PLAINTEXT) throw new RangeError('the head of the answer is too long')
  const bytes = await bytesOf(answer)
  const { cipher, s2c } = received.epoch.keys
  const header = encodeResponseHeader(randomBytes(16))
  const key = await exchangeKey(s2c, 'response', received.header, header)
  if ('whole' in bytes) {
    const records = await sealWhole(cipher, key, head, bytes.whole)
    return concat(header, records)
  }
  const seal = createSealer(cipher, key)
  return streamOf(context, received, header, head, bytes, seal)
}

function bytesOf({ body, headers }: Answer): FirstBytes | Promise<FirstBytes> {
  if (body === null) return { whole: NO_BYTES }
  if (body instanceof Uint8Array) return { whole: body }
  const type = headers.find(([name]) => name === 'content-type')?.[1]
  return firstBytes(body, type?.startsWith('text/event-stream') === true)
}

type Streaming = Exclude<FirstBytes, { readonly whole: Uint8Array }>
type Sealer = ReturnType<typeof createSealer>

/** What is open is cut at revocation, at the grant's end, and when its keys are too old, never by rotation (ATH-7.8). */
function streamOf(
  context: ServiceContext,
  { known, epoch }: Received,
  header: Uint8Array,
  head: Uint8Array,
  { first, reader, next }: Streaming,
  seal: Sealer,
): ReadableStream<Uint8Array> {
  let pending = next
  let ended = false
  let remove = (): void => undefined
  const end = (): boolean => {
    if (ended) return false
    ended = true
    remove()
    return true
  }
  const nextPart = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const { done, value } = await pending
      if (done) return undefined
      pending = reader.read()
      if (value.length > 0) return value
    }
  }
  const letGo = (reason?: unknown) => reader.cancel(reason).catch(() => undefined)
  return new ReadableStream<Uint8Array>({
    async start(controller) {
      remove = nodeState(context).streams.add({
        grantId: known.grant.id,
        clientDid: known.grant.clientDid,
        partition: known.partition,
        endsAt: Math.min(known.grant.expiresAt, epoch.row.createdAt + KEYS_LIVE_SECONDS),
        cut: () => {
          if (!end()) return
          controller.error(new Error('the grant has ended'))
          letGo('the grant has ended')
        },
      })
      const records = await sealParts(seal, concat(uint32(head.length), head, first))
      if (!ended) controller.enqueue(concat(header, records))
    },
    async pull(controller) {
      try {
        const part = await nextPart()
        const records = part === undefined ? await seal(NO_BYTES, true) : await sealParts(seal, part)
        if (ended) return
        controller.enqueue(records)
        if (part === undefined && end()) controller.close()
      } catch (cause) {
        // Without its last record, so that nobody takes it for whole.
        if (!end()) return
        context.emit({ type: 'failed', where: 'the application, while it streamed', cause })
        controller.error(cause)
        letGo()
      }
    },
    cancel(reason) {
      if (end()) return letGo(reason)
      return undefined
    },
  })
}

/** Each flush closes a record; what is longer than one fills several. */
async function sealParts(seal: Sealer, plaintext: Uint8Array): Promise<Uint8Array> {
  const records: Uint8Array[] = []
  for (let at = 0; at < plaintext.length; at += MOST_PLAINTEXT) {
    records.push(await seal(plaintext.subarray(at, at + MOST_PLAINTEXT), false))
  }
  return records.length === 1 ? (records[0] as Uint8Array) : concat(...records)
}
