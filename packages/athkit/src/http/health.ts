import type { Service } from '../service/index.ts'

export interface HealthOptions {
  /** How long `/readyz` waits for the store; 2000. */
  readonly withinMs?: number
}

/**
 * `GET /healthz`: the process runs. `GET /readyz`: it can be given requests: its store answers, and it is not being stopped; 503
 * otherwise. undefined for other paths. They say nothing that a stranger may not know, and are asked without counting.
 */
export function createHealth(
  service: Pick<Service, 'ready'>,
  { withinMs = 2000 }: HealthOptions = {},
): (request: Request) => Promise<Response | undefined> {
  return async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname !== '/healthz' && pathname !== '/readyz') return undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } })
    }
    return pathname === '/healthz' ? said(200, 'ok') : asked(await service.ready(withinMs))
  }
}

const asked = (readiness: Awaited<ReturnType<Service['ready']>>): Response =>
  said(readiness === 'ready' ? 200 : 503, readiness)

const said = (status: number, word: string): Response =>
  Response.json({ status: word }, { status, headers: { 'cache-control': 'no-store' } })
