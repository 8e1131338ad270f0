import type { Json, JsonObject } from '../../src/crypto/json.ts'
import type { Fetch } from '../../src/net/request.ts'
import { createRegistry, type RegistryEvent, type RegistryOptions } from '../../src/registry/index.ts'
import { memory } from '../../src/store/memory.ts'
import { NOW } from '../did/names.ts'

export const URL_OF_REGISTRY = 'https://registry.example'

export interface Answered {
  readonly status: number
  readonly body: JsonObject
  readonly headers: Headers
}

/** A registry under a clock of the test's own, reached through its HTTP handler. */
export function openRegistry(more: Partial<RegistryOptions> = {}) {
  const events: RegistryEvent[] = []
  const clock = { now: NOW }
  const registry = createRegistry({
    store: memory(),
    clock: () => clock.now * 1000,
    onEvent: (event) => void events.push(event),
    ...more,
  })
  async function call(
    method: string,
    path: string,
    body?: Json,
    address = '192.0.2.1',
    type = 'application/json',
  ): Promise<Answered> {
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
    const headers = text === null ? {} : { 'content-type': type }
    const request = new Request(`https://anything.invalid${path}`, { method, body: text, headers })
    const response = await registry.handler(request, { address })
    if (response === undefined) throw new Error(`${path} is none of the registry's`)
    const answer = await response.text()
    return {
      status: response.status,
      body: answer === '' ? {} : JSON.parse(answer),
      headers: response.headers,
    }
  }
  /** As over the network; what is sent is written down. */
  const sent: string[] = []
  const fetch: Fetch = async (url, init) => {
    const { redirect: _r, credentials: _c, cache: _k, referrerPolicy: _p, ...rest } = init
    sent.push(`${init.method} ${new URL(url).pathname}`)
    const response = await registry.handler(new Request(url, rest), { address: '192.0.2.1' })
    return response ?? new Response(null, { status: 404 })
  }
  const submit = (operation: Json, address?: string) => call('POST', '/1.0/operations', operation, address)
  return { registry, events, clock, call, submit, fetch, sent }
}
