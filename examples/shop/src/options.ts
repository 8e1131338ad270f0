import { parseArgs } from 'node:util'
import type { Resolving } from './resolver.ts'

/** Seconds, each a waiting time of the profile that whoever tests from outside may shorten. */
const TIMEOUTS = [
  'confirm-timeout',
  'handshake-timeout',
  'provisional',
  'rotation-overlap',
  'rotation-supersede',
  'token-ttl',
  'denial-backoff',
] as const
export type TimeoutName = (typeof TIMEOUTS)[number]

export interface ShopOptions extends Resolving {
  readonly port: number
  /** Another address to listen on than loopback. */
  readonly host: string | undefined
  readonly caFile: string | undefined
  /** Certificates somebody else made: PEM files of the certificate and its key. */
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly enrol: readonly string[]
  readonly ask: 'always' | 'never'
  /** undefined: no limit. */
  readonly rateLimit: string | undefined
  /** A file of JSON, followed as it changes; undefined: every agent is let in. */
  readonly policy: string | undefined
  /** Where the state lies: `sqlite:FILE`, `postgres://…`, `redis://…`. */
  readonly store: string
  /** Files of the keys under which it is encrypted at rest: the first seals, all open. */
  readonly storeKeys: readonly string[]
  /** The file of the shop's key; undefined: a new one, or for a file of SQLite the one beside it. */
  readonly identity: string | undefined
  /** Public ones; empty: the loopback addresses that it listens on. */
  readonly origins: readonly string[]
  /** The shop's own name, registered at the registry; its key's own DID without it. */
  readonly did: string | undefined
  readonly timeouts: ReadonlyMap<TimeoutName, number>
  /** Tell the story of every step on standard output. */
  readonly narrate: boolean
}

export const SHOP_USAGE = `Usage: npm run shop -- --port N --ca-file F --enrol DID [--enrol DID …]

  --port N              port on the loopback addresses; 0 picks a free one (default 0)
  --host A              listen there instead, such as 0.0.0.0 in a container; give --origin as well
  --ca-file F           where to write the certificate of the authority to trust
  --enrol DID           link this user to an account of the shop; repeatable. Others link themselves at /account
  --ask always|never    whether the user is asked to confirm (default always)
  --rate-limit V|none   such as 100/minute, the default
  --policy FILE         the operator's policy, JSON, in force as soon as it changes (default: none)
  --store URL           sqlite:FILE, postgres://… or redis://…; nodes share it (default: in memory)
  --store-key FILE      encrypt it at rest under the key in this file, made where there is none; given again, former keys
  --db FILE             short for --store sqlite:FILE
  --identity FILE       the shop's key, PKCS#8 PEM, made where there is none; the same for every node
  --origin URL          the public origin, where a balancer stands before the nodes; repeatable
  --cert F --key F      certificate and key, PEM, instead of new ones
  --registry URL        the registry of named DIDs; --registry-ca F: the authority to trust for it
  --resolve-loopback    for development: did:web may lead to this machine
  --did DID             the shop's own name at the registry; registered where it is not yet
  --confirm-timeout S   --handshake-timeout S   --provisional S   --rotation-overlap S
  --rotation-supersede S   --token-ttl S   --denial-backoff S
                        shorten the profile's waiting times, in seconds`

/** @throws Error with a sentence for the person at the terminal */
export function parseShopOptions(args: readonly string[]): ShopOptions {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    allowPositionals: false,
    options: {
      port: { type: 'string', default: '0' },
      'ca-file': text,
      cert: text,
      key: text,
      enrol: { type: 'string', multiple: true, default: [] },
      ask: { type: 'string', default: 'always' },
      'rate-limit': { type: 'string', default: '100/minute' },
      db: text,
      policy: text,
      store: text,
      'store-key': { type: 'string', multiple: true, default: [] },
      identity: text,
      origin: { type: 'string', multiple: true, default: [] },
      registry: text,
      'registry-ca': text,
      'resolve-loopback': { type: 'boolean', default: false },
      did: text,
      host: text,
      narrate: { type: 'boolean', default: false },
      ...Object.fromEntries(TIMEOUTS.map((name) => [name, text])),
    },
  })
  for (const did of values.enrol) if (!isDid(did)) throw new Error(`--enrol ${did}: not a DID`)
  const given = values as unknown as Record<string, string | undefined>
  if (values.ask !== 'always' && values.ask !== 'never') throw new Error('--ask is always or never')
  if (values.registry !== undefined && !/^https:/.test(values.registry)) {
    throw new Error('--registry is an https: URL')
  }
  if (values.did !== undefined && values.registry === undefined) throw new Error('--did needs a --registry')
  const timeouts = TIMEOUTS.flatMap((name) => {
    const value = given[name]
    return value === undefined ? [] : [[name, seconds(name, value)] as const]
  })
  return {
    port: wholeNumber('port', values.port, 65_535),
    host: values.host,
    caFile: values['ca-file'],
    certFile: values.cert,
    keyFile: values.key,
    enrol: values.enrol,
    ask: values.ask,
    rateLimit: values['rate-limit'] === 'none' ? undefined : values['rate-limit'],
    policy: values.policy,
    store: storeUrl(values.store, values.db),
    storeKeys: values['store-key'],
    identity: values.identity,
    origins: values.origin,
    did: values.did,
    registry: values.registry,
    registryCa: values['registry-ca'],
    resolveLoopback: values['resolve-loopback'],
    narrate: values.narrate,
    timeouts: new Map(timeouts),
  }
}

function storeUrl(store: string | undefined, db: string | undefined): string {
  if (store !== undefined && db !== undefined) throw new Error('--db is short for --store: give one of them')
  const url = store ?? `sqlite:${db ?? ':memory:'}`
  if (!/^(sqlite:.|(postgres|postgresql|redis|rediss):\/\/.)/.test(url)) {
    throw new Error(`--store ${url}: sqlite:FILE, postgres://… or redis://…`)
  }
  return url
}

const isDid = (text: string): boolean => /^did:[a-z0-9]+:[A-Za-z0-9._:%-]+$/.test(text)

const seconds = (name: string, value: string): number => wholeNumber(name, value, 86_400)

function wholeNumber(name: string, value: string, most: number): number {
  const number = Number(value)
  if (!/^[0-9]+$/.test(value) || number > most)
    throw new Error(`--${name} is a whole number from 0 to ${most}`)
  return number
}
