import { wrong } from './check-options.ts'
import type { Limits, ServiceOptions, Timeouts } from './options.ts'

const TIMEOUTS: Timeouts = {
  handshake: 60,
  confirm: 300,
  fetch: 600,
  provisional: 600,
  remember: 600,
  rotationOverlap: 30,
  rotationSupersede: 30,
  tokenTtl: 3600,
  denialBackoff: 60,
}

export function checkTimeouts(given: Partial<Timeouts> = {}): Timeouts {
  for (const [name, seconds] of Object.entries(given)) {
    if (!Object.hasOwn(TIMEOUTS, name)) throw wrong(`timeouts: there is no ${JSON.stringify(name)}`)
    const least =
      name === 'denialBackoff' || name === 'rotationOverlap' || name === 'rotationSupersede' ? 0 : 1
    if (!Number.isSafeInteger(seconds) || (seconds as number) < least) {
      throw wrong(`timeouts.${name} is a whole number of seconds, at least ${least}`)
    }
  }
  if ((given.confirm ?? 0) > 600) throw wrong('timeouts.confirm is at most 600 seconds (ATH-6.3.3)')
  return { ...TIMEOUTS, ...given }
}

const LIMITS: Limits = {
  handshakesPerMinute: 120,
  handshakesPerAgent: 120,
  requestsPerMinute: 1200,
  pendingHandshakes: 10_000,
  rememberedNonces: 100_000,
  questionsPerUser: 50,
  waiting: 20,
  bodyBytes: 1_048_576,
  exempt: () => false,
}

export function checkLimits(given: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(LIMITS, name)) throw wrong(`limits: there is no ${JSON.stringify(name)}`)
    if (name === 'exempt' ? typeof value !== 'function' : !(typeof value === 'number' && value >= 1)) {
      throw wrong(
        `limits.${name} is ${name === 'exempt' ? 'a function of an address' : 'a number, at least 1'}`,
      )
    }
  }
  return { ...LIMITS, ...given }
}

export function checkTokenMaxTtl({ tokenMaxTtlSeconds = 7200 }: ServiceOptions): number {
  if (Number.isSafeInteger(tokenMaxTtlSeconds) && tokenMaxTtlSeconds >= 1) return tokenMaxTtlSeconds
  throw wrong('tokenMaxTtlSeconds is a whole number of seconds, at least 1')
}
