import type { Json } from '../crypto/json.ts'
import type { Caller, Service } from '../service/index.ts'

/** One endpoint, such as those of ATH-3.2: the methods it has, and what each does. */
export interface Endpoint<Host = Service> {
  readonly path: string
  /** Whether what is below the path is the endpoint's as well: handshakes and confirmations have their ids there. */
  readonly below?: boolean
  /** What needs a JSON body or none, and answers JSON: an adapter that knows the service makes no `Request` of it. */
  readonly messages?: Methods<AnswerMessage<Host>>
  /** What needs more of its request, or answers something else. */
  readonly methods?: Methods<Handle<Host>>
  /** Whether requests are counted by address before they are looked at. */
  readonly counted?: boolean
}

export type Method = 'GET' | 'POST'
type Methods<Of> = Readonly<Partial<Record<Method, Of>>>

export type AnswerMessage<Host = Service> = (message: Message<Host>) => Promise<Answered>

export interface Message<Host = Service> {
  readonly service: Host
  readonly caller: Caller
  /** What stands behind the path and its slash, empty for the path itself. */
  readonly rest: string
  /** At most 64 KiB; of a GET, none. */
  readonly body: Uint8Array
}

export interface Answered {
  readonly status: number
  readonly body: Json
  /** Beside those that every answer has. */
  readonly headers?: Readonly<Record<string, string>>
}

export type Handle<Host = Service> = (call: Call<Host>) => Promise<Response>

export interface Call<Host = Service> extends Omit<Message<Host>, 'body'> {
  readonly request: Request
}
