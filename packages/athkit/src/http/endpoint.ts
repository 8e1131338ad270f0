import type { Caller, Service } from '../service/index.ts'

/** One endpoint, such as those of ATH-3.2: the methods it has, and what each does. */
export interface Endpoint<Host = Service> {
  readonly path: string
  /** Whether what is below the path is the endpoint's as well: handshakes and confirmations have their ids there. */
  readonly below?: boolean
  readonly methods: Readonly<Partial<Record<'GET' | 'POST', Handle<Host>>>>
  /** Whether requests are counted by address before they are looked at. */
  readonly counted?: boolean
}

export type Handle<Host = Service> = (call: Call<Host>) => Promise<Response>

export interface Call<Host = Service> {
  readonly service: Host
  readonly request: Request
  readonly caller: Caller
  /** What stands behind the path and its slash, empty for the path itself. */
  readonly rest: string
}
