/**
 * Whole bodies that travel beside a `Request` or a `Response` and not in it: the streams that every body is wrapped in cost more
 * than opening and sealing it, or than reading a message. Only an adapter that says so of its request gets a carried answer.
 */
const bodies = new WeakMap<Request | Response, Uint8Array<ArrayBuffer>>()
const carriers = new WeakSet<Request>()

/** The adapter of this request sends what it is given beside a response. */
export function acceptCarried(request: Request): Request {
  carriers.add(request)
  return request
}

/** A request whose body is here as well; where it is sealed, here alone. */
export function carry(request: Request, body: Uint8Array<ArrayBuffer>): Request {
  bodies.set(request, body)
  return acceptCarried(request)
}

export const carried = (message: Request | Response): Uint8Array<ArrayBuffer> | undefined =>
  bodies.get(message)

export type HeaderList = readonly (readonly [string, string])[]

/** An answer that is there in one piece, beside its `Response` where the request's adapter takes it so. */
export function wholeAnswer(
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  status: number,
  headers: HeaderList,
): Response {
  if (!carriers.has(request)) return new Response(body, { status, headers: headers as [string, string][] })
  const response = new CarriedAnswer(status, headers)
  bodies.set(response, body)
  return response
}

/** The headers of an answer, one by one. Those of a carried one are as they were listed, unless somebody has looked at them. */
export const headersOf = (response: Response): Iterable<readonly [string, string]> =>
  (response instanceof CarriedAnswer ? response.listed : undefined) ?? response.headers

/** Middleware between here and the adapter that looks at it finds its headers and its body where they always are. */
class CarriedAnswer extends Response {
  readonly #listed: HeaderList
  #headers: Headers | undefined

  constructor(status: number, listed: HeaderList) {
    super(null, { status })
    this.#listed = listed
  }

  get listed(): HeaderList | undefined {
    return this.#headers === undefined ? this.#listed : undefined
  }

  override get headers(): Headers {
    this.#headers ??= new Headers(this.#listed as [string, string][])
    return this.#headers
  }

  override get body(): Response['body'] {
    return this.clone().body
  }

  override clone(): Response {
    return new Response(carried(this), { status: this.status, headers: this.headers })
  }
}
