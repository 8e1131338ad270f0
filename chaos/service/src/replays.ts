import { type CipherSuite, fromBase64url, toBase64url } from 'athkit/crypto'
import { createReader, decodeRequestHeader, exchangeKey, openExchange, splitHead } from 'athkit/session'
import type { Store } from 'athkit/store'
import type { Fetching } from './fetch.ts'

const HEADER_BYTES = 45
const ANSWER_HEADER_BYTES = 17
const MOST_KEPT = 200
const MOST_LATEST = 40

/** Sealed requests that were answered, as they went over the wire: some of all, and the latest. */
export function createRecorder() {
  const sample: Uint8Array[] = []
  const latest: Uint8Array[] = []
  let seen = 0
  return {
    record(bytes: Uint8Array): void {
      const at = seen++ < MOST_KEPT ? sample.length : Math.floor(Math.random() * seen)
      if (at < MOST_KEPT) sample[at] = bytes
      latest.push(bytes)
      if (latest.length > MOST_LATEST) latest.shift()
    },
    sample,
    latest,
  }
}

export type Refusal = 'inside' | 'outside'

/**
 * Sends one again. Refused is what is said so outside the seal, or inside as `replayed`; everything else was accepted, and so is what
 * nobody can look into.
 */
export async function replay(
  bytes: Uint8Array,
  { post }: Pick<Fetching, 'post'>,
  origin: string,
  store: Store,
): Promise<Refusal | 'accepted'> {
  const header = bytes.subarray(0, HEADER_BYTES)
  for (;;) {
    const keys = await answerKeys(store, header)
    const answer = await post(`${origin}/ath/sealed`, bytes).catch(() => undefined)
    // A node that was killed says nothing: the next one is asked.
    if (answer === undefined || answer.status === 503) continue
    if (answer.status !== 200) return 'outside'
    if (keys === undefined) return 'accepted'
    const reader = createReader(answer.body)
    const answerHeader = new Uint8Array(await reader.read(ANSWER_HEADER_BYTES))
    const key = await exchangeKey(keys.s2c, 'response', header, answerHeader)
    const { record0 } = await openExchange(keys.cipher, key, reader)
    const head = JSON.parse(new TextDecoder().decode(splitHead(record0).head)) as InnerHead
    return head.status === 409 && head.ath === true ? 'inside' : 'accepted'
  }
}

interface InnerHead {
  readonly status: number
  readonly ath?: boolean
}

interface Pointer {
  readonly partition: string
}
interface Session {
  readonly cipher: CipherSuite
  readonly epochs: readonly { readonly epoch: number; readonly s2c: string }[]
}

/** From the shop's own store, as this harness is its owner. */
async function answerKeys(store: Store, header: Uint8Array) {
  const { sid, epoch } = decodeRequestHeader(new Uint8Array(header))
  const name = toBase64url(sid)
  const now = Math.floor(Date.now() / 1000)
  const read = async <T>(partition: string, key: string): Promise<T | undefined> => {
    const { results } = await store.transact(partition, [{ op: 'get', key }], now)
    return results[0] === undefined ? undefined : (JSON.parse(results[0].value) as T)
  }
  const pointer = await read<Pointer>(`grant:${name}`, 'at')
  const session = pointer && (await read<Session>(pointer.partition, `session:${name}`))
  const row = session?.epochs.find((each) => each.epoch === epoch)
  return row === undefined || session === undefined
    ? undefined
    : { cipher: session.cipher, s2c: fromBase64url(row.s2c, 32) }
}
