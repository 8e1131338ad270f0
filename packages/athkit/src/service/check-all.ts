import { auditMistakes } from '../audit/index.ts'
import { checkLimits, checkTimeouts, checkTokenMaxTtl } from './check-numbers.ts'
import * as check from './check-options.ts'
import type { ServiceOptions } from './options.ts'

/**
 * Every mistake in the configuration at once, so that nobody mends them one start at a time. Each check looks at one thing; what cannot be
 * looked at because of another mistake is left for the next time.
 *
 * @throws TypeError with a sentence for each
 */
export function checkAll(options: ServiceOptions): void {
  const mistakes = new Set(checksOf(options).flatMap(mistakesOf))
  if (mistakes.size === 0) return
  const [first = ''] = mistakes
  throw check.wrong(
    mistakes.size === 1 ? first : `${mistakes.size} mistakes\n- ${[...mistakes].join('\n- ')}`,
  )
}

type Check = () => unknown

function checksOf(options: ServiceOptions): readonly Check[] {
  const { origin, origins = [], scopes, restrictions, timeouts, limits, audit, enforcers } = options
  const one = <V>(
    given: Readonly<Record<string, V>> | undefined,
    look: (entry: Record<string, V>) => unknown,
  ) =>
    Object.entries(given ?? {}).map(
      ([name, value]) =>
        () =>
          look({ [name]: value }),
    )
  const all = [...(origin === undefined ? [] : [origin]), ...origins]
  return [
    ...Object.keys(options).map((name) => () => check.checkName(name)),
    () => check.checkNamed(options),
    () => check.checkUsers(options),
    () => check.checkStore(options),
    () => check.checkLogger(options),
    () => check.checkTelemetry(options),
    () => check.checkIdentity(options),
    () => check.checkCapabilities(options),
    ...(all.length === 0 ? [() => check.checkOrigins(options)] : []),
    ...all.map((each) => () => check.checkOrigins({ ...without(options), origin: each })),
    () => check.checkEndpoints(options.endpoints),
    ...one(scopes, (scope) => check.checkScopes({ ...options, scopes: scope })),
    () => check.checkScopes(options),
    ...one(restrictions, (restriction) =>
      check.checkRestrictions({ ...options, restrictions: restriction, ...(enforcers && { enforcers }) }),
    ),
    () => check.checkRestrictions(options),
    () => check.checkAgentCredentials(options),
    ...one(timeouts, (timeout) => checkTimeouts(timeout)),
    ...one(limits, (limit) => checkLimits(limit)),
    () => checkTokenMaxTtl(options),
    ...auditMistakes(audit ?? {}).map((mistake) => () => {
      throw check.wrong(mistake)
    }),
  ]
}

const without = ({ origin: _, origins: __, ...rest }: ServiceOptions): ServiceOptions => rest

function mistakesOf(look: Check): readonly string[] {
  try {
    look()
    return []
  } catch (error) {
    // What stumbled over another mistake has nothing to add.
    return check.isWrong(error) ? [check.sentenceOf(error)] : []
  }
}
