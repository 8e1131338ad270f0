import { parseMessage } from '../crypto/json.ts'
import { parseDid } from '../did/did.ts'
import type { Answered, Endpoint, Message } from '../http/endpoint.ts'
import type { RegistryService } from './create-registry.ts'
import { failureOf, type ResolutionResult, resultOf, unresolvable } from './resolution.ts'

type Registry = Omit<RegistryService, 'handler'>

/** The registry on HTTP (ATH-4.1, ATH-4.6). */
export function registryEndpoints(basePath: string): readonly Endpoint<Registry>[] {
  const at = (path: string) => `${basePath}/1.0/${path}`
  return [
    { path: at('operations'), counted: true, messages: { POST: submit } },
    { path: at('identifiers/'), below: true, counted: true, messages: { GET: resolve } },
    { path: at('history/'), below: true, counted: true, messages: { GET: history } },
  ]
}

/** Answered with what the DID resolves to now. */
async function submit({ service, body, caller }: Message<Registry>): Promise<Answered> {
  const { did } = await service.submit(parseMessage(body), caller)
  return { status: 200, body: (await resultFor(service, did)).body }
}

async function resolve({ service, rest }: Message<Registry>): Promise<Answered> {
  const did = decoded(rest) ?? ''
  return unresolvable(did) ?? (await resultFor(service, did))
}

async function resultFor(service: Registry, did: string): Promise<ResolutionResult> {
  const entry = await service.entry(did)
  return entry === undefined ? failureOf('notFound') : resultOf(entry)
}

/** Whole, so that whoever reads it can verify it without asking anybody. A DID that is not registered has no operations: 404. */
async function history({ service, rest }: Message<Registry>): Promise<Answered> {
  const { did } = parseDid(decoded(rest))
  const operations = await service.history(did)
  return { status: operations.length === 0 ? 404 : 200, body: { operations } }
}

/** The DID in a path, percent-encoded or not. */
function decoded(rest: string): string | undefined {
  try {
    return decodeURIComponent(rest)
  } catch {
    return undefined
  }
}
