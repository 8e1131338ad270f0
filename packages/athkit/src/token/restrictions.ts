import { canonicalize } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { intersectNetworks, isInNetworks, type Networks, parseNetworks } from '../net/networks.ts'
import {
  DEFAULT_ZONE,
  formatAccessTime,
  isOpen,
  isTimeZone,
  joinWindows,
  parseAccessTime,
} from './access-time.ts'

/**
 * Restrictions (ATH-6.4.3): what a grant is bound to beside its scopes. Two lists of them are joined member by member to the
 * stricter; where neither is, both apply. What cannot be understood, or is enforced by nobody, is never passed over: it denies.
 */
export const BUILT_IN: readonly string[] = ['rate_limit', 'ip_whitelist', 'access_time', 'access_time_zone']

/**
 * @param enforced the names that somebody enforces
 * @returns the joined restrictions, or `denied` when they cannot be granted
 */
export function joinRestrictions(
  server: JsonObject,
  user: JsonObject,
  enforced: readonly string[],
): JsonObject | 'denied' {
  const [ours, theirs] = [entriesOf(server), entriesOf(user)]
  const names = new Set([...ours.keys(), ...theirs.keys()])
  const joined: [string, Json][] = []
  for (const name of names) {
    if (!enforced.includes(name)) return 'denied'
    const value = join(name, ours.get(name), theirs.get(name))
    if (value === undefined) return 'denied'
    joined.push([name, value])
  }
  const zone = joinZones(ours, theirs)
  if (zone === 'denied') return 'denied'
  const kept = joined.filter(([name]) => name !== 'access_time_zone')
  return Object.fromEntries(zone === undefined ? kept : [...kept, ['access_time_zone', zone] as const])
}

/** Members that are there: `null` is absent (ATH-1.6). */
function entriesOf(restrictions: JsonObject): Map<string, Json> {
  return new Map(Object.entries(restrictions).filter(([, value]) => value !== null && value !== undefined))
}

/** The stricter of two values, either of which may be absent; undefined where that cannot be said. */
function join(name: string, a: Json, b: Json): Json {
  switch (name) {
    case 'rate_limit':
      return joinRates(a, b)
    case 'ip_whitelist':
      return joinNetworkLists(a, b)
    case 'access_time':
      return joinAccessTimes(a, b)
    case 'access_time_zone':
      return [a, b].every((zone) => zone === undefined || isTimeZone(zone)) ? (a ?? b) : undefined
    default:
      return joinOthers(a, b)
  }
}

function joinRates(a: Json, b: Json): Json {
  const [ours, theirs] = [parts(a, parseRateLimit), parts(b, parseRateLimit)]
  if (ours === undefined || theirs === undefined) return undefined
  const least = new Map<number, number>()
  for (const { limit, windowSeconds } of [...ours, ...theirs]) {
    least.set(windowSeconds, Math.min(limit, least.get(windowSeconds) ?? limit))
  }
  return formatRateLimit(
    [...least]
      .sort(([one], [other]) => one - other)
      .map(([windowSeconds, limit]) => ({ limit, windowSeconds })),
  )
}

export const formatRateLimit = (limits: readonly RateLimit[]): string =>
  limits.map(({ limit, windowSeconds }) => `${limit}/${unitOf(windowSeconds)}`).join(', ')

/** Comparisons that joining two lists may take: a credential is written by strangers, and each of its handshakes joins it anew. */
const MOST_PAIRS = 65_536

function joinNetworkLists(a: Json, b: Json): Json {
  const [ours, theirs] = [networksOf(a ?? b), networksOf(b ?? a)]
  if (ours === undefined || theirs === undefined) return undefined
  const isAlone = a === undefined || b === undefined
  if (!isAlone && ours.size * theirs.size > MOST_PAIRS) return undefined
  const common = isAlone ? [...ours.keys()].sort() : intersectNetworks(ours, theirs)
  return common.length === 0 ? undefined : common
}

function joinAccessTimes(a: Json, b: Json): Json {
  const [ours, theirs] = [parts(a, parseAccessTime), parts(b, parseAccessTime)]
  if (ours === undefined || theirs === undefined) return undefined
  const windows = [...ours, ...theirs]
  if (windows.length ** 2 > MOST_PAIRS) return undefined
  return formatAccessTime(joinWindows(windows))
}

/** An absent value has no parts. */
function parts<Part>(
  value: Json,
  parse: (value: Json) => readonly Part[] | undefined,
): readonly Part[] | undefined {
  return value === undefined ? [] : parse(value)
}

/** Numbers are upper limits; what is the same is the same; of texts both apply. */
function joinOthers(a: Json, b: Json): Json {
  if (a === undefined || b === undefined) return a ?? b
  if (typeof a === 'number' && typeof b === 'number') return Math.min(a, b)
  if (canonicalize(a) === canonicalize(b)) return a
  if (typeof a === 'string' && typeof b === 'string') {
    return [...new Set([...a.split(', '), ...b.split(', ')])].sort().join(', ')
  }
  return undefined
}

/** The zone of the windows, absent where it is not given; windows of two zones cannot be joined. */
function joinZones(
  ours: ReadonlyMap<string, Json>,
  theirs: ReadonlyMap<string, Json>,
): string | undefined | 'denied' {
  const zones = [ours, theirs]
    .filter((side) => side.has('access_time'))
    .map((side) => (side.get('access_time_zone') as string | undefined) ?? DEFAULT_ZONE)
  if (new Set(zones).size > 1) return 'denied'
  const given = [ours, theirs].find((side) => side.has('access_time') && side.has('access_time_zone'))
  return given?.get('access_time_zone') as string | undefined
}

/** Whether a candidate restricts at least as much as a reference: joining the two changes nothing (ATH-7.10). */
export function atLeastAsStrict(candidate: JsonObject, reference: JsonObject): boolean {
  const names = [...Object.keys(candidate), ...Object.keys(reference)]
  const [alone, both] = [
    joinRestrictions(candidate, {}, names),
    joinRestrictions(candidate, reference, names),
  ]
  return alone !== 'denied' && both !== 'denied' && canonicalize(alone) === canonicalize(both)
}

export { timeIn } from './access-time.ts'

export interface RateLimit {
  readonly limit: number
  readonly windowSeconds: number
}

const UNITS = new Map([
  ['second', 1],
  ['minute', 60],
  ['hour', 3600],
  ['day', 86_400],
])
const RATE = /^([1-9][0-9]{0,8})\/(second|minute|hour|day)$/

const unitOf = (seconds: number): string => [...UNITS].find(([, length]) => length === seconds)?.[0] ?? ''

/** `"5/second, 100/minute"`: all of them apply. undefined where it is no rate limit. */
export function parseRateLimit(value: unknown): readonly RateLimit[] | undefined {
  if (typeof value !== 'string') return undefined
  const limits = value.split(', ').map((part) => {
    const [, limit, unit = ''] = RATE.exec(part) ?? []
    const windowSeconds = UNITS.get(unit)
    return windowSeconds === undefined ? undefined : { limit: Number(limit), windowSeconds }
  })
  return limits.every((limit) => limit !== undefined) ? limits : undefined
}

/** Whether a connection from this address is allowed; a list that cannot be read allows nobody. */
export function isAddressAllowed(restrictions: JsonObject, address: string): boolean {
  const list = restrictions.ip_whitelist ?? undefined
  if (list === undefined) return true
  const networks = networksOf(list)
  return networks !== undefined && isInNetworks(networks, address)
}

/** Each list is read once: every request under the same claims asks for it. */
const read = new WeakMap<object, Networks>()

function networksOf(list: Json): Networks | undefined {
  if (typeof list !== 'object' || list === null) return undefined
  const networks = read.get(list) ?? parseNetworks(list)
  if (networks !== undefined) read.set(list, networks)
  return networks
}

/** Whether access is allowed at this time; windows that cannot be read are never open. @param now Unix seconds */
export function isTimeAllowed(restrictions: JsonObject, now: number): boolean {
  const value = restrictions.access_time ?? undefined
  if (value === undefined) return true
  const windows = parseAccessTime(value)
  const zone = restrictions.access_time_zone ?? DEFAULT_ZONE
  return windows !== undefined && isTimeZone(zone) && isOpen(windows, zone, now)
}
