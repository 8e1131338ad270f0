/** Cuts a byte stream of HTTP/1.1 into its requests, head and body together. */
export interface RequestCutter {
  /** @returns the requests that are whole now */
  push(chunk: Buffer): Buffer[]
}

const HEAD_END = '\r\n\r\n'

export function createRequestCutter(): RequestCutter {
  let held = Buffer.alloc(0)
  return {
    push(chunk) {
      held = Buffer.concat([held, chunk])
      const whole: Buffer[] = []
      for (let end = endOf(held); end !== undefined; end = endOf(held)) {
        whole.push(held.subarray(0, end))
        held = held.subarray(end)
      }
      return whole
    },
  }
}

/** @returns where the first request ends; undefined when it is not all there */
function endOf(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd < 0) return undefined
  const head = bytes.subarray(0, headEnd).toString('latin1')
  const bodyAt = headEnd + HEAD_END.length
  if (/^transfer-encoding:\s*chunked/im.test(head)) {
    const last = bytes.indexOf('0\r\n\r\n', bodyAt)
    return last < 0 ? undefined : last + 5
  }
  const length = Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? 0)
  return bytes.length < bodyAt + length ? undefined : bodyAt + length
}
