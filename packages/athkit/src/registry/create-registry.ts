import { createAudit } from '../audit/index.ts'
import type { Json } from '../crypto/json.ts'
import type { DidOperation, DidState } from '../did/history.ts'
import { acceptOperation, type Registry, resolutionOf, subjectOf } from '../did/registry.ts'
import { refuse } from '../errors.ts'
import { dispatch, type Handler, type Host } from '../http/dispatch.ts'
import { addressGroup } from '../net/address.ts'
import { createMeter } from '../net/meter.ts'
import type { Caller } from '../service/context.ts'
import { registryEndpoints } from './endpoints.ts'
import { commitOperation, type Entry, readEntry, readOperations } from './entries.ts'
import {
  checkRegistryOptions,
  type RegistryEvent,
  type RegistryLimits,
  type RegistryOptions,
} from './options.ts'

/** A registry of named DIDs, kept in any store of the contract (ATH-4.6). */
export interface RegistryService extends Registry, Host {
  /** @param caller counted by address; nobody is counted without it. @throws HandshakeError also `rate_limited` */
  submit(operation: Json, caller?: Caller): Promise<DidState>
  /** What stands for the DID, in this spelling. */
  entry(did: string): Promise<Entry | undefined>
  /** Every operation that was taken has its place in the audit when this resolves; the store is closed behind it (ATH-10). */
  close(): Promise<void>
  /** `POST /1.0/operations`, `GET /1.0/identifiers/{did}`, `GET /1.0/history/{did}`; undefined for other paths. */
  readonly handler: Handler
}

/** @throws TypeError for a mistake in the configuration */
export function createRegistry(options: RegistryOptions): RegistryService {
  const limits = checkRegistryOptions(options)
  const { store, basePath = '', verifiesOrigins = false, admitOperation } = options
  const nowMs = options.clock ?? Date.now
  const now = () => Math.floor(nowMs() / 1000)
  const emit = emitterOf(options.onEvent)
  const admission = admissionOf(limits, nowMs)
  const failed = (cause: unknown) => emit({ type: 'failed', where: 'audit', cause })
  const audit = createAudit({ store, signer: options.audit?.signer, now, failed }, options.audit)

  async function entry(did: string): Promise<Entry | undefined> {
    const read = await readEntry(store, did, now())
    return read?.entry.state.did === did ? read.entry : undefined
  }

  const service: Omit<RegistryService, 'handler'> = {
    async submit(given, caller) {
      if (caller !== undefined) admission.operation(caller.address)
      // What was verified is what is kept: nobody changes it meanwhile.
      const operation = structuredClone(given)
      const did = subjectOf(operation)
      const before = await readEntry(store, did, now())
      const state = await acceptOperation(operation, before?.entry.state, now())
      const accepted = operation as DidOperation
      if (caller !== undefined) {
        await admitOperation?.(accepted, caller)
        if (state.seq === 0) await countName(options, limits, caller.address, nowMs())
      }
      const address = caller?.address ?? 'here'
      await commitOperation(store, accepted, state, before, { audit, now: now(), address })
      const { seq, head } = state
      emit({ type: 'did_operation', did, op: accepted.op, seq, head, address })
      return state
    },
    history: (did) => readOperations(store, did, now()),
    entry,
    state: async (did) => (await entry(did))?.state,
    async lookup(did) {
      const found = await entry(did)
      return found && { ...resolutionOf(found.state), registry: { verifiesOrigins } }
    },
    close: () => audit.close(),
    admit: ({ address }) => admission.request(address),
    emit,
    now,
  }
  return { ...service, handler: dispatch(service, registryEndpoints(basePath)) }
}

const DAY_SECONDS = 86_400

/** Names are the one thing that cannot be given back: so they are counted in the store, across nodes and restarts. */
async function countName(
  { store }: RegistryOptions,
  { namesPerDay, exempt }: RegistryLimits,
  address: string,
  nowMs: number,
): Promise<void> {
  if (namesPerDay === Number.POSITIVE_INFINITY || exempt(address)) return
  const { results } = await store.transact(
    `registrations:${addressGroup(address).slice(0, 128)}`,
    [
      {
        op: 'count',
        key: 'names',
        limits: [{ limit: namesPerDay, windowSeconds: DAY_SECONDS }],
        nowMs,
        onRefusal: 'continue',
      },
    ],
    Math.floor(nowMs / 1000),
  )
  const counted = results[0]
  if (counted?.admitted !== true) throw limited('too many names in a day', counted?.retryAfter ?? DAY_SECONDS)
}

function admissionOf(limits: RegistryLimits, nowMs: () => number) {
  const meters = {
    request: createMeter(limits.requestsPerMinute, nowMs),
    operation: createMeter(limits.operationsPerMinute, nowMs),
  }
  const admit = (meter: keyof typeof meters) => (address: string) => {
    const retryAfter = limits.exempt(address) ? 0 : meters[meter](addressGroup(address))
    if (retryAfter > 0) throw limited('too many from one address', retryAfter)
  }
  return { request: admit('request'), operation: admit('operation') }
}

const limited = (reason: string, retryAfter: number) =>
  refuse('rate_limited', reason, { rule: 'ATH-4.4', retryAfter })

/** An operator's function that throws stops nothing. */
function emitterOf(onEvent: (event: RegistryEvent) => void = toConsole): (event: RegistryEvent) => void {
  return (event) => {
    try {
      onEvent(event)
    } catch (error) {
      console.error('athkit: onEvent threw', error)
    }
  }
}

/** Without `onEvent`, what nobody may miss. */
function toConsole(event: RegistryEvent): void {
  if (event.type === 'failed') console.error(`athkit: ${event.where} failed`, event.cause)
}
