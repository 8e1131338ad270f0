import { createHash } from 'node:crypto'
import { AthError } from '../errors.ts'
import { type Commands, commandsOf, type IoRedis, type NodeRedis, type Script } from './redis-client.ts'
import { TRANSACT } from './redis-script.ts'
import type { Operation, Outcome, Row, Store, StoredRow } from './store.ts'

export type { IoRedis, NodeRedis } from './redis-client.ts'

export interface RedisOptions {
  /** What every key begins with. Default `ath:`. */
  readonly prefix?: string
  /** How long a transaction may take; then it fails with `store_unavailable`. Default 5. */
  readonly timeoutSeconds?: number
  /** Told what makes the store less than durable, at start-up. Default: a process warning. */
  readonly warn?: (message: string) => void
}

/**
 * The contract on Redis 6.2 or newer, Valkey, or a cluster of them. Each transaction is one script over keys of one slot. The client is
 * the caller's, who connects it before and closes it after the store.
 *
 * It is durable when the server runs with `appendonly yes` and `appendfsync always`, and must not evict (`maxmemory-policy
 * noeviction`): where the server lets itself be asked and says otherwise, that is warned of.
 *
 * @param client of `redis`, or of `ioredis` with `autoResendUnfulfilledCommands: false`
 * @throws TypeError for a client that could run a transaction twice; AthError `store_unavailable` when the server cannot be reached
 */
export async function redis(client: NodeRedis | IoRedis, options: RedisOptions = {}): Promise<Store> {
  const { prefix = 'ath:', timeoutSeconds = 5 } = options
  const { warn = (message) => process.emitWarning(message, 'AthkitStore') } = options
  const commands = commandsOf(client)
  const within = <T>(work: Promise<T>) => bounded(work, timeoutSeconds * 1000)
  for (const message of await within(weaknesses(commands))) warn(message)
  return storeOf(commands, prefix, within)
}

const SAFE = new Map([
  ['appendonly', { value: 'yes', risk: 'everything since the last snapshot is lost when it stops' }],
  ['appendfsync', { value: 'always', risk: 'a power cut can lose what was acknowledged' }],
  [
    'maxmemory-policy',
    { value: 'noeviction', risk: 'it forgets what it has no room for, replay windows too' },
  ],
])

async function weaknesses(commands: Commands): Promise<readonly string[]> {
  const found = new Set<string>()
  for (const [name, { value, risk }] of SAFE) {
    const answers = await commands.everywhere(['CONFIG', 'GET', name]).catch((error: Error) => {
      // Hosted servers let nobody ask; whatever else went wrong will show at the first transaction.
      if (!/^(?:NOPERM|ERR)/.test(error.message)) throw error
      return []
    })
    for (const set of answers.map(settingOf)) {
      if (set !== undefined && set !== value)
        found.add(`Redis runs with ${name} ${set}: ${risk}; set it to ${value}`)
    }
  }
  return [...found]
}

/** Clients give pairs in a list, a map or an object. */
function settingOf(answer: unknown): string | undefined {
  if (Array.isArray(answer)) return answer[1] as string | undefined
  if (answer instanceof Map) return [...answer.values()][0] as string | undefined
  return Object.values(answer as object)[0] as string | undefined
}

const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })
const transaction = script(TRANSACT)

function storeOf(commands: Commands, prefix: string, within: <T>(work: Promise<T>) => Promise<T>): Store {
  let closed = false
  const underWay = new Set<Promise<unknown>>()

  async function run(which: Script, tag: string, values: readonly string[]): Promise<unknown> {
    if (closed) throw unavailable('closed')
    const running = commands.script(which, keysOf(prefix, tag), values)
    underWay.add(running)
    try {
      return await within(running)
    } finally {
      underWay.delete(running)
    }
  }

  async function* keys(kind: string): AsyncGenerator<readonly string[]> {
    const pages = commands.scan(`${prefix.replace(/[[\]*?\\]/g, '\\$&')}{*}:${kind}`)[Symbol.asyncIterator]()
    for (;;) {
      if (closed) throw unavailable('closed')
      const { done, value } = await within(Promise.resolve(pages.next()))
      if (done === true) return
      yield value.map((key) => key.slice(prefix.length + 1, -kind.length - 2))
    }
  }

  return {
    async transact(partition, operations, now) {
      const values = [String(now), JSON.stringify(operations)]
      return outcomeOf(await run(transaction, tagOf(partition), values), operations) as never
    },
    async *outbox() {
      for await (const tags of keys('outbox')) {
        for (const tag of tags) {
          const entries = entriesOf(await run(listing, tag, []))
          for (const { id, value } of entries) yield { partition: partitionOf(tag), id, value }
        }
      }
    },
    async *rows() {
      for await (const tags of keys('names')) {
        for (const tag of tags) {
          for (const row of rowsOf(await run(everything, tag, [])))
            yield { partition: partitionOf(tag), ...row }
        }
      }
    },
    // Redis forgets partitions by itself, and what has expired in one goes as others are written.
    sweep: async () => 0,
    async close() {
      closed = true
      await Promise.allSettled(underWay)
    },
  }
}

/** A tag ends at the first closing brace, and an empty one is none. */
const tagOf = (partition: string) =>
  partition.replace(/[%}]/g, (character) => (character === '%' ? '%25' : '%7D'))
const partitionOf = (tag: string) => tag.replace(/%7D|%25/g, (escaped) => (escaped === '%25' ? '%' : '}'))

function keysOf(prefix: string, tag: string): readonly string[] {
  const cells = `${prefix}{${tag}}`
  return [cells, `${cells}:names`, `${cells}:ends`, `${cells}:outbox`]
}

/** The rows of a partition: keys and what the hash holds of them, in turn. */
const everything = script(`
  local rows = {}
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    rows[#rows + 1] = key
    rows[#rows + 1] = redis.call('HGET', KEYS[1], 'r' .. key)
  end
  return rows`)

function* rowsOf(answer: unknown): Generator<Omit<StoredRow, 'partition'>> {
  const flat = answer as readonly (string | null)[]
  for (let i = 0; i < flat.length; i += 2) {
    const [, version, expires = '', value] = /^(\d+):(\d*):(.*)$/s.exec(flat[i + 1] ?? '') ?? []
    if (value === undefined) continue
    const expiresAt = expires === '' ? {} : { expiresAt: Number(expires) }
    yield { key: flat[i] as string, value, version: Number(version), ...expiresAt }
  }
}

/** The outbox of a partition: ids and `version:value`, in turn. */
const listing = script(`return redis.call('HGETALL', KEYS[4])`)

function entriesOf(answer: unknown): readonly { readonly id: string; readonly value: string }[] {
  const flat = answer as readonly string[]
  const entries = Array.from({ length: flat.length / 2 }, (_, i) => {
    const [id = '', text = ''] = flat.slice(2 * i, 2 * i + 2)
    const at = text.indexOf(':')
    return { id, version: Number(text.slice(0, at)), value: text.slice(at + 1) }
  })
  return entries.sort((one, other) => one.version - other.version)
}

type Answer = readonly unknown[] | null

const rowOf = (answer: Answer): Row | undefined =>
  answer === null ? undefined : { value: answer[0] as string, version: Number(answer[1]) }

function outcomeOf(reply: unknown, operations: readonly Operation[]): Outcome<readonly unknown[]> {
  const [outcome, at, answers] = reply as ['done' | 'aborted' | 'stopped', number, readonly unknown[]]
  const results: unknown[] = new Array(operations.length).fill(undefined)
  for (const [index, answer] of answers.entries()) {
    results[index] = resultOf((operations[index] as Operation).op, answer)
  }
  return outcome === 'done' ? { outcome, results } : { outcome, at: Number(at), results }
}

function resultOf(op: Operation['op'], answer: unknown): unknown {
  switch (op) {
    case 'get':
    case 'take':
      return rowOf(answer as Answer)
    case 'list':
      return (answer as readonly [string, string, string][]).map(([key, value, version]) => ({
        key,
        value,
        version: Number(version),
      }))
    case 'put': {
      const [stored, row] = answer as [number, Answer]
      return { stored: Number(stored) === 1, row: rowOf(row) }
    }
    case 'delete':
      return { deleted: Number(answer) === 1 }
    case 'mark': {
      const [fresh, nextSeq] = answer as [number, string | null]
      return { fresh: Number(fresh) === 1, ...(nextSeq === null ? {} : { nextSeq: Number(nextSeq) }) }
    }
    case 'count': {
      const [admitted, retryAfter] = answer as [number, number]
      return { admitted: Number(admitted) === 1, retryAfter: Number(retryAfter) }
    }
    default:
      return undefined
  }
}

const unavailable = (cause: unknown) => new AthError('store_unavailable', 'Redis did not commit', { cause })

/** @throws AthError `store_unavailable` when it takes longer, or fails */
async function bounded<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } catch (cause) {
    throw cause instanceof AthError ? cause : unavailable(cause)
  } finally {
    clearTimeout(timer)
  }
}
