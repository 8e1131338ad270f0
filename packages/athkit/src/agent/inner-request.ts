/** A request as it will stand inside the seal, before it has a token, a time and a number (ATH-7.4). */
export interface InnerRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: InnerBody
}

/** Bytes and blobs can be sent again; a stream is gone once it was begun. */
export type InnerBody = Uint8Array | Blob | ReadableStream<Uint8Array> | undefined

export const isRepeatable = ({ body }: InnerRequest): boolean => !(body instanceof ReadableStream)

/** What is sent as it is read; undefined for what is there as a whole. */
export function streamIn(body: InnerBody): ReadableStream<Uint8Array> | undefined {
  if (body instanceof ReadableStream) return body
  return body instanceof Blob ? (body.stream() as ReadableStream<Uint8Array>) : undefined
}

/** Methods that do no more when done twice (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
export const IDEMPOTENCY_KEY = 'idempotency-key'

/** Every other method gets a key, so that it can be sent again too (ATH-7.7). @param key a new one */
export function withIdempotencyKey(request: InnerRequest, key: () => string): InnerRequest {
  const { method, headers } = request
  if (IDEMPOTENT.has(method) || headers.some(([name]) => name.toLowerCase() === IDEMPOTENCY_KEY))
    return request
  return { ...request, headers: [...headers, [IDEMPOTENCY_KEY, key()]] }
}
