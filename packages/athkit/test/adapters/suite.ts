import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type MakeApp, open, until, type World } from './world.ts'

/** What every adapter does, on a real port. */
export function adapterSuite(name: string, makeApp: MakeApp): void {
  describe(`an app behind ${name}`, () => {
    let world: World
    beforeAll(async () => {
      world = await open(makeApp)
    })
    afterAll(() => world.stop())

    test('answers what its grant allows, inside a session alone (ATH-7.5)', async () => {
      const response = await world.session.fetch('/goods?keyword=tea%20cup')
      expect([response.status, await response.json()]).toEqual([200, { keyword: 'tea cup' }])
      const outside = await fetch(`${world.origin}/goods?keyword=tea`)
      expect([outside.status, (await outside.json()).error]).toEqual([401, 'token_invalid'])
    })

    test('keeps to the scopes of the grant, and says so as ATH and not as the app (ATH-7.4)', async () => {
      await expect(world.session.fetch('/profile')).rejects.toMatchObject({
        error: 'scope_denied',
        code: 403,
      })
    })

    test('keeps a restriction, judged by the body that the app has parsed (ATH-6.4.3)', async () => {
      const order = (amount: number) =>
        world.session.fetch('/order', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ amount }),
        })
      const placed = await order(4999)
      expect([placed.status, await placed.json()]).toEqual([201, { amount: 4999, account: 'account-1' }])
      await expect(order(5001)).rejects.toMatchObject({ error: 'restriction_violated' })
      expect(world.stage.orders).toBe(1)
    })

    test('leaves its other routes as they are', async () => {
      expect(await (await fetch(`${world.origin}/plain`)).text()).toBe('plain')
      expect((await fetch(`${world.origin}/nothing`)).status).toBe(404)
      expect((await world.session.fetch('/nothing')).status).toBe(404)
      const discovery = await (await fetch(`${world.origin}/.well-known/ath-app.json`)).json()
      expect(discovery.name).toBe('Shop')
      const wrong = await fetch(`${world.origin}/ath/handshake`, { method: 'PUT' })
      expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
    })

    test('gets bodies whole, short and long, and so does the agent', async () => {
      for (const length of [0, 1, 1024, 65_536, 300_000]) {
        const body = 'é'.repeat(length / 2)
        const response = await world.session.fetch('/echo', { method: 'PUT', body })
        expect(await response.text(), String(length)).toBe(body)
      }
      const head = await world.session.fetch('/goods?keyword=x', { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([200, ''])
      expect((await world.session.fetch('/nothing-to-say')).status).toBe(204)
    })

    test('sees a request’s body as it comes', async () => {
      let more = (): void => undefined
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new Uint8Array(70_000))
          more = () => {
            controller.enqueue(new Uint8Array(30_000))
            controller.close()
          }
        },
      })
      const headers = { 'content-type': 'application/octet-stream' }
      const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
      const answer = world.session.fetch('/upload', init)
      expect(await until(() => world.stage.uploaded > 0)).toBe(true)
      expect(world.stage.uploaded).toBeLessThan(100_000)
      more()
      expect(await (await answer).text()).toBe('100000')
    })

    test('sends an answer’s body as it is made', async () => {
      const { body } = await world.session.fetch('/ticks')
      const reader = (body as ReadableStream<Uint8Array>).getReader()
      const next = async () => new TextDecoder().decode((await reader.read()).value)
      expect(await next()).toBe('data: 0\n\n')
      world.stage.release()
      expect(await next()).toBe('data: 1\n\n')
      expect((await reader.read()).done).toBe(true)
    })

    test('breaks an answer off, so that it never looks whole', async () => {
      const response = await world.session.fetch('/broken')
      await expect(response.text()).rejects.toThrow()
    })

    test('hears that the client has gone away', async () => {
      const gone = new AbortController()
      const answer = world.session.fetch('/hang', { signal: gone.signal })
      expect(await until(() => world.stage.hanging === 1)).toBe(true)
      expect(world.stage.closed).toBe(0)
      gone.abort()
      await expect(answer).rejects.toThrow()
      expect(await until(() => world.stage.closed === 1)).toBe(true)
    })

    test('goes on for a client that gave an Idempotency-Key and will ask again (ATH-7.7)', async () => {
      const gone = new AbortController()
      const slow = (init: RequestInit = {}) =>
        world.session.fetch('/slow', { method: 'POST', headers: { 'idempotency-key': 'k' }, ...init })
      const first = slow({ signal: gone.signal })
      expect(await until(() => world.stage.answered === 1)).toBe(true)
      gone.abort()
      await expect(first).rejects.toThrow()
      const again = async () => {
        const response = await slow().catch((error) => error)
        return response instanceof Response ? response.text() : undefined
      }
      let text: string | undefined
      for (let tries = 0; text === undefined && tries < 50; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        text = await again()
      }
      expect(text).toBe('done 1')
    })

    test('hears the next request after one that was answered before its body was read', async () => {
      const { socket, received } = world.raw()
      socket.write(
        'POST /ath/handshake HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 200000\r\n\r\n',
      )
      socket.write('x'.repeat(200_000))
      socket.write('GET /.well-known/ath-app.json HTTP/1.1\r\nHost: x\r\n\r\n')
      expect(await until(() => received().includes('"ath_version"'))).toBe(true)
      expect(received()).toContain('415 ')
    })
  })
}
