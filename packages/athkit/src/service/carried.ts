/**
 * Whole bodies that travel beside a `Request` or a `Response` and not in it: the streams that every body is wrapped in cost more
 * than opening and sealing it. An adapter that carries a request's body understands a carried answer; nobody else gets one.
 */
const bodies = new WeakMap<Request | Response, Uint8Array<ArrayBuffer>>()

/** A request without a body of its own. */
export function carry(request: Request, body: Uint8Array<ArrayBuffer>): Request {
  bodies.set(request, body)
  return request
}

export const carried = (message: Request | Response): Uint8Array<ArrayBuffer> | undefined =>
  bodies.get(message)

/** An answer whose body is carried. Middleware between here and the adapter that looks at it finds it where it always is. */
export function carryAnswer(body: Uint8Array<ArrayBuffer>, init: ResponseInit): Response {
  const response = new CarriedAnswer(null, init)
  bodies.set(response, body)
  return response
}

class CarriedAnswer extends Response {
  override get body(): Response['body'] {
    return this.clone().body
  }

  override clone(): Response {
    return new Response(carried(this), { status: this.status, headers: this.headers })
  }
}
