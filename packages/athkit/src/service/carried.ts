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

/** An answer that is there in one piece, beside its `Response` where the request's adapter takes it so. */
export function wholeAnswer(request: Request, body: Uint8Array<ArrayBuffer>, init: ResponseInit): Response {
  if (!carriers.has(request)) return new Response(body, init)
  const response = new CarriedAnswer(null, init)
  bodies.set(response, body)
  return response
}

/** Middleware between here and the adapter that looks at it finds the body where it always is. */
class CarriedAnswer extends Response {
  override get body(): Response['body'] {
    return this.clone().body
  }

  override clone(): Response {
    return new Response(carried(this), { status: this.status, headers: this.headers })
  }
}
