import { again } from '../client/retry.ts'
import { sleep } from '../client/time.ts'
import { call, createTransport, jsonBytes } from '../client/transport.ts'
import { hash } from '../crypto/jcs.ts'
import type { DidOperation, DidState } from '../did/history.ts'
import { memoryPins, type Pin } from '../did/pins.ts'
import {
  type RegistryResolver,
  type RegistryResolverOptions,
  registryResolver,
  registryUrl,
} from '../did/registry-resolver.ts'
import { HandshakeError } from '../errors.ts'

/** A registry as one who has a name in it sees it. */
export interface RegistryClient extends RegistryResolver {
  /**
   * Submits an operation; a lost answer does no harm, because a registry that says it does not follow is asked whether it stands
   * there already. From then on this client does not believe a history without it.
   *
   * @returns where the history stands
   * @throws HandshakeError what the registry refused it with: `out_of_order` when another writer was first
   * @throws AthError `transport_failed`, `registry_violation`
   */
  submit(operation: DidOperation, signal?: AbortSignal): Promise<Pin>
}

/** @throws TypeError for a URL that is not `https:` */
export function createRegistryClient(options: RegistryResolverOptions): RegistryClient {
  const pins = options.pins ?? memoryPins()
  const resolver = registryResolver({ ...options, pins })
  const url = `${registryUrl(options.url, options.allowPlaintextOnLoopback === true)}/1.0/operations`
  const transport = createTransport({ fetch: options.fetch })

  async function send(operation: DidOperation, signal?: AbortSignal): Promise<void> {
    const body = jsonBytes(operation)
    await again({ sleep, signal }, () => call(transport, { url, method: 'POST', body, signal }))
  }

  return {
    ...resolver,
    async submit(operation, signal) {
      const own: Pin = { seq: operation.seq, head: await hash(operation) }
      try {
        await send(operation, signal)
      } catch (error) {
        const outOfOrder = error instanceof HandshakeError && error.error === 'out_of_order'
        const state = outOfOrder ? await resolver.state(operation.did, signal) : undefined
        if (state === undefined || !isAt(state, own)) throw error
      }
      const seen = await pins.get(operation.did)
      if ((seen?.seq ?? -1) < own.seq) await pins.advance(operation.did, seen, own)
      return own
    },
  }
}

const isAt = ({ seq, head }: DidState, pin: Pin): boolean => seq === pin.seq && head === pin.head
