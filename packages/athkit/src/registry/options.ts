import { type AuditOptions, auditMistakes } from '../audit/index.ts'
import type { Signer } from '../crypto/keys.ts'
import type { DidOperation } from '../did/history.ts'
import type { ServiceEvent } from '../service/events.ts'
import type { Store } from '../store/store.ts'

/** What `createRegistry` is told. */
export interface RegistryOptions {
  readonly store: Store
  readonly limits?: Partial<RegistryLimits>
  /** What its paths begin with, such as `/registry`; nothing without it. */
  readonly basePath?: string
  /** Whether this registry makes sure that documents name origins of their own only (ATH-6.1.5): for its own `lookup`; false. */
  readonly verifiesOrigins?: boolean
  /** Refuses, by throwing a HandshakeError, what the operator does not want registered, such as `policy_denied` for a name. */
  readonly admitOperation?: (
    operation: DidOperation,
    caller: { readonly address: string },
  ) => void | Promise<void>
  readonly onEvent?: (event: RegistryEvent) => void
  /** Its audit (ATH-10): how the chain of this process is named, and who signs its heads; there are none without `signer`. */
  readonly audit?: AuditOptions & { readonly signer?: Signer }
  /** Unix milliseconds. */
  readonly clock?: () => number
}

/** Bounds of what one network address can make the registry do (an IPv6 /64 counts as one). `Infinity` takes one away. */
export interface RegistryLimits {
  /** Requests of any kind; 1200, counted by each node. */
  readonly requestsPerMinute: number
  /** Operations, valid or not; 300, counted by each node. */
  readonly operationsPerMinute: number
  /** Names registered; 100, counted across nodes and restarts. */
  readonly namesPerDay: number
  /** Addresses that are not counted. */
  readonly exempt: (address: string) => boolean
}

export type RegistryEvent =
  /** ATH-10: a DID operation. */
  | {
      readonly type: 'did_operation'
      readonly did: string
      readonly op: DidOperation['op']
      readonly seq: number
      /** H(operation, signatures included). */
      readonly head: string
      readonly address: string
    }
  | Extract<ServiceEvent, { readonly type: 'refused' | 'failed' }>

export const DEFAULT_LIMITS: RegistryLimits = {
  requestsPerMinute: 1200,
  operationsPerMinute: 300,
  namesPerDay: 100,
  exempt: () => false,
}

const wrong = (message: string) => new TypeError(`createRegistry: ${message}`)

const OPTIONS: ReadonlySet<string> = new Set<keyof RegistryOptions>([
  'store',
  'limits',
  'basePath',
  'verifiesOrigins',
  'admitOperation',
  'onEvent',
  'audit',
  'clock',
])

/** @throws TypeError that says what to do about it */
export function checkRegistryOptions(options: RegistryOptions): RegistryLimits {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw wrong(`there is no option ${JSON.stringify(name)}; check its spelling`)
  }
  if (typeof options.store?.transact !== 'function') {
    throw wrong('store is missing; give one of athkit/store, such as sqlite(file)')
  }
  if (!/^(\/[A-Za-z0-9._~-]+)*$/.test(options.basePath ?? '')) {
    throw wrong('basePath is a path without a slash at its end, such as /registry')
  }
  const { signer: _, ...audit } = options.audit ?? {}
  const [mistake] = auditMistakes(audit)
  if (mistake !== undefined) throw wrong(mistake)
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) throw wrong(`limits: there is no ${JSON.stringify(name)}`)
    if (name === 'exempt' && typeof value !== 'function')
      throw wrong('limits.exempt is a function of an address')
    if (name !== 'exempt' && !(typeof value === 'number' && value >= 1)) {
      throw wrong(`limits.${name} is a number, at least 1`)
    }
  }
  return limits
}
