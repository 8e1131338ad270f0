import { didFromKey, parseDid } from '../did/did.ts'
import { HandshakeError } from '../errors.ts'
import { areScopes, CAPABILITIES } from '../handshake/index.ts'
import { DISCOVERY_PATH, ENDPOINT_NAMES, type Endpoints, endpointPaths } from '../messages/discovery.ts'
import { ENROLMENT_PATH } from '../messages/enrolment.ts'
import { checkOrigin } from '../messages/origin.ts'
import { BUILT_IN, joinRestrictions } from '../token/restrictions.ts'
import { isBudget } from './grant-of.ts'
import type { AgentCredentials, ScopeOptions, ServiceOptions } from './options.ts'

/** What `createService` is told, checked: every mistake is a TypeError that says what to do about it. */
export const wrong = (message: string) => new TypeError(`${PREFIX}${message}`)

const PREFIX = 'createService: '
export const isWrong = (error: unknown): error is TypeError =>
  error instanceof TypeError && error.message.startsWith(PREFIX)
export const sentenceOf = ({ message }: TypeError): string => message.slice(PREFIX.length)

const KNOWN: ReadonlySet<string> = new Set<keyof ServiceOptions>([
  'identity',
  'origin',
  'origins',
  'appId',
  'name',
  'scopes',
  'users',
  'store',
  'resolver',
  'confirm',
  'policy',
  'clientInfo',
  'restrictions',
  'enforcers',
  'tokenMaxTtlSeconds',
  'timeouts',
  'limits',
  'endpoints',
  'capabilities',
  'formerKeys',
  'agentCredentials',
  'refusePlainNonces',
  'allowPlaintextOnLoopback',
  'streamingRoutes',
  'onEvent',
  'audit',
  'logger',
  'telemetry',
  'clock',
])

/** A restriction that is misspelt is one that nobody applies: so no option is passed over. */
export function checkName(name: string): void {
  if (!KNOWN.has(name)) throw wrong(`there is no option ${JSON.stringify(name)}; check its spelling`)
}

export function checkNamed({ name }: ServiceOptions): void {
  if (typeof name !== 'string' || name === '') {
    throw wrong('name is missing; give the name that users know the service by')
  }
}

export function checkUsers({ users }: ServiceOptions): void {
  if (typeof users?.find !== 'function') {
    throw wrong('users.find is missing; give a function that leads a user DID to an account, or to undefined')
  }
}

export function checkStore({ store }: ServiceOptions): void {
  if (typeof store?.transact !== 'function') {
    throw wrong('store is missing; give one of athkit/store, such as sqlite(file)')
  }
}

export function checkLogger({ logger }: ServiceOptions): void {
  const missing = (['debug', 'info', 'warn', 'error'] as const).find(
    (level) => logger !== undefined && typeof logger[level] !== 'function',
  )
  if (missing !== undefined) throw wrong(`logger.${missing} is missing; a pino logger fits`)
}

export function checkTelemetry({ telemetry: { tracer, meter } = {} }: ServiceOptions): void {
  if (tracer !== undefined && typeof tracer.startActiveSpan !== 'function')
    throw wrong('telemetry.tracer is no tracer; give trace.getTracer(…) of @opentelemetry/api')
  if (meter !== undefined && typeof meter.createCounter !== 'function')
    throw wrong('telemetry.meter is no meter; give metrics.getMeter(…) of @opentelemetry/api')
}

export function checkOrigins({
  origin,
  origins,
  allowPlaintextOnLoopback = false,
}: ServiceOptions): readonly string[] {
  const all = [...(origin === undefined ? [] : [origin]), ...(origins ?? [])]
  if (all.length === 0) {
    throw wrong(
      "origin is missing; give the service's public origin, such as 'https://shop.example' (ATH-3.1)",
    )
  }
  for (const each of all) {
    try {
      checkOrigin(each, { allowPlaintextOnLoopback })
    } catch (error) {
      const why = error instanceof HandshakeError ? error.reason : 'not an origin'
      throw wrong(`origin ${JSON.stringify(each)}: ${why}; write it like 'https://shop.example' (ATH-3.1)`)
    }
  }
  return [...new Set(all)]
}

export function checkIdentity({ identity }: ServiceOptions): void {
  if (typeof identity?.did !== 'string' || typeof identity.signer?.sign !== 'function') {
    throw wrong('identity is missing; give { did, signer }')
  }
  try {
    const { form, method, id } = parseDid(identity.did)
    if (form === 'key' && method === 'ath' && didFromKey(identity.signer.publicKey) !== `did:ath:${id}`) {
      throw wrong("identity.did is another key's; use didFromKey(signer.publicKey)")
    }
  } catch (error) {
    if (error instanceof HandshakeError) throw wrong(`identity.did: ${error.reason}`)
    throw error
  }
}

export function checkScopes({ scopes }: ServiceOptions): ReadonlyMap<string, ScopeOptions> {
  const names = Object.keys(scopes ?? {})
  if (names.length === 0) throw wrong('scopes is empty; offer at least one')
  if (!areScopes(names))
    throw wrong('scopes: at most 64 names of the form resource:action, in lower case (ATH-1.7)')
  return new Map(
    names.map((name) => {
      const given = scopes[name]
      const scope = typeof given === 'string' ? { description: given } : given
      if (typeof scope?.description !== 'string' || scope.description === '') {
        throw wrong(`scopes: ${name} has no description; say in words for a person what it allows`)
      }
      return [name, scope]
    }),
  )
}

export function checkCapabilities({
  capabilities = CAPABILITIES,
  identity,
}: ServiceOptions): readonly string[] {
  for (const needed of ['TLS1.3', identity.signer.publicKey.alg]) {
    if (!capabilities.includes(needed)) throw wrong(`capabilities: ${needed} is needed (ATH-2.1)`)
  }
  for (const name of capabilities) {
    if (!CAPABILITIES.includes(name))
      throw wrong(`capabilities: ${JSON.stringify(name)} is not known (ATH-2.3)`)
  }
  return capabilities
}

export function checkEndpoints(given: Partial<Endpoints> = {}): Endpoints {
  let paths: Endpoints
  try {
    paths = endpointPaths(given)
  } catch (error) {
    if (error instanceof HandshakeError) throw wrong(`endpoints: ${error.reason} (ATH-3.2)`)
    throw error
  }
  const all = [...ENDPOINT_NAMES.map((name) => paths[name]), DISCOVERY_PATH, ENROLMENT_PATH, '/ath/session']
  for (const [index, path] of all.entries()) {
    const inside = all.find((other, at) => at !== index && (path === other || path.startsWith(`${other}/`)))
    if (inside !== undefined)
      throw wrong(`endpoints: ${path} lies inside ${inside}; each needs a path of its own`)
  }
  return paths
}

/** @returns the names that somebody enforces. A restriction that nobody does fails closed here, before anything is granted. */
export function checkRestrictions({
  restrictions = {},
  enforcers = new Map(),
}: ServiceOptions): readonly string[] {
  for (const [name, enforcer] of enforcers) {
    if (typeof enforcer !== 'function' && !isBudget(enforcer)) {
      throw wrong(`enforcers: ${name} is neither a function nor a budget(); nobody would keep it`)
    }
    if (BUILT_IN.includes(name)) throw wrong(`enforcers: ${name} is built in; take it out`)
  }
  const enforced = [...BUILT_IN, ...enforcers.keys()]
  for (const [name, value] of Object.entries(restrictions)) {
    if (!enforced.includes(name)) {
      throw wrong(
        `restrictions: nobody enforces ${name}; register it in enforcers, such as new Map([['${name}', atMost]]), and put ` +
          `enforce('${name}', …) on the routes it concerns (ATH-6.4.3)`,
      )
    }
    const enforcer = enforcers.get(name)
    const isUnread = isBudget(enforcer) && enforcer.limitsOf(value) === undefined
    if (isUnread || joinRestrictions({ [name]: value }, {}, enforced) === 'denied') {
      throw wrong(`restrictions: ${name} has a value that cannot be enforced (ATH-6.4.3)`)
    }
  }
  if (joinRestrictions(restrictions, {}, enforced) === 'denied') {
    throw wrong('restrictions cannot be kept together (ATH-6.4.3)')
  }
  return enforced
}

/** A type that nobody can issue, or an issuer that is misspelt, would refuse every agent or none. */
export function checkAgentCredentials({ agentCredentials }: ServiceOptions): AgentCredentials | undefined {
  if (agentCredentials === undefined) return undefined
  const { types, issuers, required } = agentCredentials
  if (!Array.isArray(types) || types.length === 0 || types.includes('VerifiableCredential')) {
    throw wrong('agentCredentials.types: name the types that count; VerifiableCredential is every one')
  }
  if (!Array.isArray(issuers) || issuers.length === 0) {
    throw wrong('agentCredentials.issuers: name the DIDs of those whom you trust to issue them')
  }
  for (const issuer of issuers) {
    try {
      parseDid(issuer)
    } catch {
      throw wrong(`agentCredentials.issuers: ${JSON.stringify(issuer)} is no DID`)
    }
  }
  const unknown = Array.isArray(required) ? required.find((type) => !types.includes(type)) : undefined
  if (unknown !== undefined) {
    throw wrong(`agentCredentials.required: ${JSON.stringify(unknown)} is not among the types`)
  }
  return agentCredentials
}
