import type { JsonObject } from '../../crypto/json.ts'
import { refuse } from '../../errors.ts'
import {
  isAddressAllowed,
  isTimeAllowed,
  parseRateLimit,
  type RateLimit,
  timeIn,
} from '../../token/restrictions.ts'

/** The built-in restrictions of a grant (ATH-6.4.3), read once for every request that carries the same claims. */
export interface Restrict {
  /** What `rate_limit` allows; empty where there is none. */
  readonly limits: readonly RateLimit[]
  /** @throws HandshakeError `restriction_violated` */
  check(address: string, now: number): void
}

const read = new WeakMap<JsonObject, Restrict>()
const NONE: Restrict = { limits: [], check: () => undefined }

export function restrictOf(restrictions: JsonObject | null | undefined): Restrict {
  if (restrictions === undefined || restrictions === null) return NONE
  const known = read.get(restrictions)
  if (known !== undefined) return known
  const made = make(restrictions)
  read.set(restrictions, made)
  return made
}

function make(restrictions: JsonObject): Restrict {
  const rate = restrictions.rate_limit ?? undefined
  const limits = rate === undefined ? [] : parseRateLimit(rate)
  let openMinute = Number.NaN
  let open = false
  return {
    limits: limits ?? [],
    check(address, now) {
      // A limit that cannot be read was never meant to allow everything.
      if (limits === undefined) throw violated('rate_limit cannot be read', 'rate_limit cannot be kept here.')
      if (!isAddressAllowed(restrictions, address)) {
        throw violated('ip_whitelist', `ip_whitelist is ${textOf(restrictions.ip_whitelist)}.`)
      }
      const minute = Math.floor(now / 60)
      if (minute !== openMinute) {
        openMinute = minute
        open = isTimeAllowed(restrictions, now)
      }
      if (!open) {
        const { access_time: window, access_time_zone: zone } = restrictions
        throw violated('access_time', `access_time is ${textOf(window)}; it is ${timeIn(zone, now)} now.`)
      }
    },
  }
}

const textOf = (value: JsonObject[string]): string =>
  Array.isArray(value) ? value.map(String).join(', ') : String(value)

const violated = (restriction: string, hint: string) =>
  refuse('restriction_violated', restriction, { rule: 'ATH-6.4.3', hint })
