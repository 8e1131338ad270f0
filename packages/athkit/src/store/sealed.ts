import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { AthError } from '../errors.ts'
import type { Operation, Outcome, Row, Store, StoredRow } from './store.ts'

export interface SealedOptions {
  /** 32 random bytes, under which everything is sealed that is written from now on. Keep it where the database is not. */
  readonly key: Uint8Array
  /** Keys of before: what they sealed still opens. One may go once {@link SealedStore.reseal} has found nothing under it. */
  readonly formerKeys?: readonly Uint8Array[]
  /**
   * A weakening, for a store that was written without a key: values that are not sealed are read as they are. Whoever can write to the
   * database can then put anything there. Seal them with {@link SealedStore.reseal}, and leave it out.
   */
  readonly acceptUnsealedValues?: boolean
}

export interface SealedStore extends Store {
  /**
   * Seals every row anew that is not under the present key. Requests go on meanwhile; a row that one of them changes is under the
   * present key by that.
   *
   * @param now Unix seconds
   * @returns how many were, and how many entries of outboxes are not: these go as they are chained
   */
  reseal(now: number): Promise<{ readonly rows: number; readonly outbox: number }>
}

/**
 * Any store, encrypted at rest: the values of rows and of outbox entries are AES-256-GCM, bound to the partition and the key that they
 * stand under, so that none can be put in another's place. What stays readable is what a store must compare: names of partitions and
 * keys, versions, times, replay windows and counters; none of them is secret. An old value in its own place still opens: whoever can
 * write to the database can bring back what was.
 *
 * Each partition has a key of its own, derived from the one given: random nonces of 96 bits do not come near to meeting.
 *
 * @throws TypeError for a key that is not 32 bytes
 */
export function sealed(store: Store, options: SealedOptions): SealedStore {
  const { seal, open, isPresent } = sealing(options)

  async function sealAnew({ partition, key, version, value, expiresAt }: StoredRow, now: number) {
    const at = { kind: 'row', partition, name: key } as const
    const ends = expiresAt === undefined ? {} : { expiresAt }
    const put = { op: 'put', key, value: seal(at, open(at, value)), if: version, ...ends } as const
    return (await store.transact(partition, [put], now)).outcome === 'done'
  }

  const sealOperation = (partition: string, operation: Operation): Operation => {
    if (operation.op === 'put') {
      return { ...operation, value: seal({ kind: 'row', partition, name: operation.key }, operation.value) }
    }
    if (operation.op !== 'append') return operation
    return { ...operation, value: seal({ kind: 'outbox', partition, name: operation.id }, operation.value) }
  }

  const opened = <R extends Row>(partition: string, name: string, row: R): R => ({
    ...row,
    value: open({ kind: 'row', partition, name }, row.value),
  })

  function openResult(partition: string, operation: Operation, result: unknown): unknown {
    if (result === undefined) return undefined
    switch (operation.op) {
      case 'get':
      case 'take':
        return opened(partition, operation.key, result as Row)
      case 'list':
        return (result as readonly (Row & { key: string })[]).map((row) => opened(partition, row.key, row))
      case 'put': {
        const put = result as { stored: boolean; row: Row | undefined }
        if (put.row === undefined) return put
        // What was stored is known; what refused it has to be opened.
        const { value, key } = operation
        return { ...put, row: put.stored ? { ...put.row, value } : opened(partition, key, put.row) }
      }
      default:
        return result
    }
  }

  return {
    async transact(partition, operations, now) {
      const outcome: Outcome<readonly unknown[]> = await store.transact(
        partition,
        operations.map((operation) => sealOperation(partition, operation)),
        now,
      )
      const results = outcome.results.map((result, at) =>
        openResult(partition, operations[at] as Operation, result),
      )
      return { ...outcome, results } as never
    },
    async *outbox() {
      for await (const { partition, id, value } of store.outbox()) {
        yield { partition, id, value: open({ kind: 'outbox', partition, name: id }, value) }
      }
    },
    async *rows() {
      for await (const row of store.rows()) yield opened(row.partition, row.key, row)
    },
    sweep: (now, limit) => store.sweep(now, limit),
    close: () => store.close(),
    async reseal(now) {
      let [rows, outbox] = [0, 0]
      for await (const row of store.rows()) if (!isPresent(row.value) && (await sealAnew(row, now))) rows++
      for await (const { value } of store.outbox()) if (!isPresent(value)) outbox++
      return { rows, outbox }
    },
  }
}

/** Where a value stands, and so what it is bound to. */
interface Place {
  readonly kind: 'row' | 'outbox'
  readonly partition: string
  readonly name: string
}

const MARK = 'sealed:'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** A value is `sealed:ID:…`: which key, then nonce, ciphertext and tag in base64url. */
function sealing({ key, formerKeys = [], acceptUnsealedValues = false }: SealedOptions) {
  const present = masterOf(key)
  const masters = new Map([...formerKeys.map(masterOf), present].map((master) => [master.id, master]))
  return {
    isPresent: (text: string) => text.startsWith(`${MARK}${present.id}:`),

    seal(place: Place, value: string): string {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', partitionKey(present, place.partition), nonce)
      cipher.setAAD(boundTo(place))
      const bytes = Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `${MARK}${present.id}:${bytes.toString('base64url')}`
    },

    /** @throws AthError `store_unavailable` */
    open(place: Place, text: string): string {
      if (!text.startsWith(MARK)) {
        if (acceptUnsealedValues) return text
        throw unreadable('a value in the store is not sealed')
      }
      const [, id = '', base64url = ''] = text.split(':')
      const master = masters.get(id)
      if (master === undefined)
        throw unreadable(`a value in the store is under a key that was not given: ${id}`)
      const bytes = Buffer.from(base64url, 'base64url')
      const authTagLength = TAG_BYTES
      try {
        const nonce = bytes.subarray(0, NONCE_BYTES)
        const partition = partitionKey(master, place.partition)
        const opener = createDecipheriv('aes-256-gcm', partition, nonce, { authTagLength })
        opener.setAAD(boundTo(place))
        opener.setAuthTag(bytes.subarray(Math.max(NONCE_BYTES, bytes.length - TAG_BYTES)))
        const ciphertext = bytes.subarray(NONCE_BYTES, -TAG_BYTES)
        return opener.update(ciphertext, undefined, 'utf8') + opener.final('utf8')
      } catch (cause) {
        throw unreadable('a value in the store was changed, or stands where it was not written', cause)
      }
    },
  }
}

interface Master {
  /** Of the key's hash: it tells keys apart and nothing about them. */
  readonly id: string
  readonly key: Uint8Array
}

function masterOf(key: Uint8Array): Master {
  if (!(key instanceof Uint8Array) || key.length !== KEY_BYTES) {
    throw new TypeError('sealed: a key is 32 random bytes, such as randomBytes(32) of node:crypto')
  }
  const id = createHash('sha256').update('athkit at rest, id\n').update(key).digest('base64url').slice(0, 11)
  return { id, key: Uint8Array.from(key) }
}

const partitionKey = ({ key }: Master, partition: string): Buffer =>
  createHmac('sha256', key).update('athkit at rest, partition\n').update(partition).digest()

const boundTo = ({ kind, partition, name }: Place) => Buffer.from(JSON.stringify([kind, partition, name]))

const unreadable = (reason: string, cause?: unknown) => new AthError('store_unavailable', reason, { cause })
