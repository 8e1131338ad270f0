import type { MiddlewareHandler } from 'hono'
import { describe, expect, test } from 'vitest'
import { served } from './echo.ts'

/** A service with something in front of it; what it echoes came sealed. */
async function echo(...middleware: MiddlewareHandler[]) {
  const { session } = await served({ direct: false, middleware })
  const { fetch } = await session()
  return async (text: string) => (await fetch('/echo', { method: 'PUT', body: text })).text()
}

const sealedOnly =
  (change: (response: Response) => Response | Promise<Response>): MiddlewareHandler =>
  async (c, next) => {
    await next()
    if (c.res.headers.get('content-type') === 'application/ath-sealed') c.res = await change(c.res)
  }

describe('sealed bodies that are carried beside their messages', () => {
  test('arrive whole, short and long', async () => {
    const say = await echo()
    for (const length of [0, 1, 1024, 60_000, 65_536, 70_000, 300_000]) {
      const text = 'x'.repeat(length)
      expect(await say(text), String(length)).toBe(text)
    }
  })

  test('are where middleware looks for them', async () => {
    let seen = 0
    const say = await echo(
      sealedOnly(async (response) => {
        seen = (await response.clone().arrayBuffer()).byteLength
        return response
      }),
      sealedOnly((response) => new Response(response.body, response)),
    )
    expect(await say('hello')).toBe('hello')
    expect(seen).toBeGreaterThan('hello'.length)
  })

  test('can be refused by middleware, which then answers itself', async () => {
    const say = await echo(async (c, next) => {
      if (c.req.path === '/ath/sealed') return c.text('not here', 403)
      return next()
    })
    await expect(say('hello')).rejects.toThrow()
  })
})
