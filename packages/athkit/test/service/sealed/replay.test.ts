import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { otherNode, SEALED, sealedShop } from './session.ts'

const counting = () => {
  const seen = { runs: 0 }
  const application = () => {
    seen.runs++
    return new Response('ok')
  }
  return { seen, application }
}

describe('each header is accepted once (ATH-7.6)', () => {
  test('the same bytes again: sealed 409 replayed, with next_seq', async () => {
    const { seen, application } = counting()
    const { client } = await sealedShop(application)
    const { header, bytes } = await client.seal('POST', '/', { seq: 7 })
    expect(await client.outcome(await client.post(bytes), header)).toMatchObject({ status: 200 })
    const again = await client.outcome(await client.post(bytes), header)
    expect(again).toMatchObject({
      outer: 200,
      status: 409,
      error: 'replayed',
      ath: true,
      json: { next_seq: 8 },
    })
    expect(seen.runs).toBe(1)
  })

  test('another request under a used seq, and one below the window', async () => {
    const { client } = await sealedShop()
    await client.send('GET', '/', { seq: 2000 })
    for (const seq of [2000, 2000 - 1024, 0]) {
      const answer = await client.send('GET', '/other', { seq })
      expect(answer).toMatchObject({ status: 409, error: 'replayed', json: { next_seq: 2001 } })
    }
    expect(await client.send('GET', '/', { seq: 2000 - 1023 })).toMatchObject({ status: 200 })
  })

  test('without next_seq where none is left', async () => {
    const { client } = await sealedShop()
    const seq = Number.MAX_SAFE_INTEGER
    expect(await client.send('GET', '/', { seq })).toMatchObject({ status: 200 })
    const { json, error } = await client.send('GET', '/', { seq })
    expect(error).toBe('replayed')
    expect(json).not.toHaveProperty('next_seq')
  })

  test.each([1, 2, 3])('twenty copies at once on two nodes: one runs (%i)', async () => {
    const { seen, application } = counting()
    const { at, client } = await sealedShop(application)
    const nodes = [at, otherNode(at, application)]
    const { header, bytes } = await client.seal('POST', '/', { body: 'buy' })
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const via = nodes[i % 2] as typeof at
        return client.outcome(await client.post(bytes, { via }), header)
      }),
    )
    expect(outcomes.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(outcomes.filter(({ error }) => error === 'replayed')).toHaveLength(19)
    expect(seen.runs).toBe(1)
  })

  test('a restarted process remembers', async () => {
    const { at, client } = await sealedShop()
    const { header, bytes } = await client.seal('POST', '/')
    await client.post(bytes)
    const restarted = otherNode(at)
    expect(await client.outcome(await client.post(bytes, { via: restarted }), header)).toMatchObject({
      error: 'replayed',
    })
  })

  test('what is refused inside is used up as well', async () => {
    const { client } = await sealedShop()
    const sealed = await client.seal('GET', '/', { token: null })
    const send = async () => client.outcome(await client.post(sealed.bytes), sealed.header)
    expect(await send()).toMatchObject({ error: 'token_invalid' })
    expect(await send()).toMatchObject({ error: 'replayed' })
  })
})

describe('records on their way', () => {
  const outer = { outer: 400, error: 'malformed_message' }

  test('one bit flipped anywhere: nothing opens, nothing is burnt (ATH-7.2)', async () => {
    const { seen, application } = counting()
    const { client } = await sealedShop(application)
    const { header, bytes } = await client.seal('POST', '/', { body: 'x'.repeat(50) })
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length * 8 - 1), async (bit) => {
        const damaged = bytes.slice()
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
        const response = await client.post(damaged)
        const { error } = (await response.json()) as { error: string }
        expect([400, 401]).toContain(response.status)
        expect(['malformed_message', 'session_unknown', 'session_expired']).toContain(error)
      }),
      { numRuns: 300 },
    )
    expect(seen.runs).toBe(0)
    expect(await client.outcome(await client.post(bytes), header)).toMatchObject({ status: 200 })
  })

  test('cut short anywhere in a request of one record', async () => {
    const { client } = await sealedShop()
    const { header, bytes } = await client.seal('POST', '/', { body: 'x'.repeat(50) })
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), async (length) => {
        const answer = await client.outcome(await client.post(bytes.slice(0, length)), header)
        expect(answer).toMatchObject(outer)
      }),
      { numRuns: 100 },
    )
    expect(await client.outcome(await client.post(bytes), header)).toMatchObject({ status: 200 })
  })

  test('bytes behind the last record: sealed 400, and the number is used up', async () => {
    const { seen, application } = counting()
    const { client } = await sealedShop(application)
    const { header, bytes } = await client.seal('POST', '/')
    const longer = new Uint8Array([...bytes, 0])
    const answer = await client.outcome(await client.post(longer), header)
    expect(answer).toMatchObject({ outer: 200, status: 400, error: 'malformed_message', ath: true })
    expect(await client.outcome(await client.post(bytes), header)).toMatchObject({ error: 'replayed' })
    expect(seen.runs).toBe(0)
  })

  test('records of a long body exchanged, left out, doubled, cut: sealed 400, the handler sees nothing', async () => {
    const { seen, application } = counting()
    const { client } = await sealedShop(application)
    const full = 4 + 65_536 + 16
    const damage: ((records: Uint8Array[]) => Uint8Array[])[] = [
      ([a, b, c]) => [a, c, b] as Uint8Array[],
      ([a, , c]) => [a, c] as Uint8Array[],
      ([a, b, c]) => [a, b, b, c] as Uint8Array[],
      ([a, b]) => [a, b] as Uint8Array[],
      ([a]) => [a] as Uint8Array[],
      ([a, b, c]) => [a, b, c, c] as Uint8Array[],
      ([a, b, c]) => [a, b, c?.slice(0, -1)] as Uint8Array[],
    ]
    for (const edit of damage) {
      const { header, bytes } = await client.seal('POST', '/', { body: 'b'.repeat(150_000) })
      const records = [
        bytes.slice(45, 45 + full),
        bytes.slice(45 + full, 45 + 2 * full),
        bytes.slice(45 + 2 * full),
      ]
      const joined = Buffer.concat([header, ...edit(records)])
      const answer = await client.outcome(await client.post(joined), header)
      expect(answer).toMatchObject({ outer: 200, status: 400, error: 'malformed_message' })
      expect(await client.outcome(await client.post(bytes), header)).toMatchObject({ error: 'replayed' })
    }
    expect(seen.runs).toBe(0)
  })

  test('whatever bytes come: an answer of 400 or 401, never a 5xx', async () => {
    const { at, client } = await sealedShop()
    const { bytes } = await client.seal('GET', '/')
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.uint8Array({ maxLength: 100 }).map((tail) => new Uint8Array([...bytes.slice(0, 45), ...tail])),
          fc
            .uint8Array({ minLength: 17, maxLength: 17 })
            .map((x) => new Uint8Array([1, ...x, ...bytes.slice(18)])),
        ),
        async (sent) => {
          const response = await at.raw('POST', SEALED, sent as Uint8Array<ArrayBuffer>, {
            headers: { 'content-type': 'application/ath-sealed' },
          })
          expect([400, 401]).toContain(response.status)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a request comes in chunks of any size', async () => {
    const { at, client } = await sealedShop(async (request) => new Response(await request.text()))
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 700 }),
        fc.string({ maxLength: 2000 }),
        async (size, body) => {
          const { header, bytes } = await client.seal('POST', '/', { body })
          let offset = 0
          const stream = new ReadableStream<Uint8Array>({
            pull(controller) {
              if (offset >= bytes.length) return controller.close()
              controller.enqueue(bytes.slice(offset, offset + size))
              offset += size
            },
          })
          const request = new Request(`https://x${SEALED}`, {
            method: 'POST',
            body: stream,
            duplex: 'half',
            headers: { 'content-type': 'application/ath-sealed' },
          } as RequestInit)
          const response = await at.handler(request, { address: '192.0.2.1' })
          expect(await client.outcome(response as Response, header)).toMatchObject({
            status: 200,
            text: body,
          })
        },
      ),
      { numRuns: 50 },
    )
  })
})
