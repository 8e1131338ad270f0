import { parseMessage } from '../crypto/json.ts'
import { parseDid } from '../did/did.ts'
import { readJsonBody } from '../http/body.ts'
import type { Call, Endpoint } from '../http/endpoint.ts'
import { json } from '../http/respond.ts'
import type { RegistryService } from './create-registry.ts'
import { failureOf, type ResolutionResult, resultOf, unresolvable } from './resolution.ts'

type Registry = Omit<RegistryService, 'handler'>

/** The registry on HTTP (ATH-4.1, ATH-4.6). */
export function registryEndpoints(basePath: string): readonly Endpoint<Registry>[] {
  const at = (path: string) => `${basePath}/1.0/${path}`
  return [
    { path: at('operations'), counted: true, methods: { POST: submit } },
    { path: at('identifiers/'), below: true, counted: true, methods: { GET: resolve } },
    { path: at('history/'), below: true, counted: true, methods: { GET: history } },
  ]
}

/** Answered with what the DID resolves to now. */
async function submit({ service, request, caller }: Call<Registry>): Promise<Response> {
  const { did } = await service.submit(parseMessage(await readJsonBody(request)), caller)
  return json(200, (await resultFor(service, did)).body)
}

async function resolve({ service, rest }: Call<Registry>): Promise<Response> {
  const did = decoded(rest) ?? ''
  const { status, body } = unresolvable(did) ?? (await resultFor(service, did))
  return json(status, body)
}

async function resultFor(service: Registry, did: string): Promise<ResolutionResult> {
  const entry = await service.entry(did)
  return entry === undefined ? failureOf('notFound') : resultOf(entry)
}

/** Whole, so that whoever reads it can verify it without asking anybody. A DID that is not registered has no operations: 404. */
async function history({ service, rest }: Call<Registry>): Promise<Response> {
  const { did } = parseDid(decoded(rest))
  const operations = await service.history(did)
  return json(operations.length === 0 ? 404 : 200, { operations })
}

/** The DID in a path, percent-encoded or not. */
function decoded(rest: string): string | undefined {
  try {
    return decodeURIComponent(rest)
  } catch {
    return undefined
  }
}
