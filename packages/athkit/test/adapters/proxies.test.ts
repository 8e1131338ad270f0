import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type NodeListenerOptions, toNodeListener } from '../../src/adapters/node.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** Whom the handler takes a request for. */
async function addressSeen(options: NodeListenerOptions | undefined, forwarded: string[]): Promise<string> {
  const server = createServer(toNodeListener((_, { address }) => new Response(address), options))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => server.close())
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, headers: { 'x-forwarded-for': forwarded }, agent: false })
    sent.on('error', reject).on('response', (response) => {
      let text = ''
      response.on('data', (data) => {
        text += data
      })
      response.on('end', () => resolve(text))
    })
    sent.end()
  })
}

test('a header of forwarding is believed from configured proxies alone (ATH-6.4.3)', async () => {
  const proxies = { trustedProxies: ['127.0.0.0/8'] }
  expect(await addressSeen(undefined, ['198.51.100.1'])).toBe('127.0.0.1')
  expect(await addressSeen({ trustedProxies: ['10.0.0.0/8'] }, ['198.51.100.1'])).toBe('127.0.0.1')
  expect(await addressSeen(proxies, ['198.51.100.1'])).toBe('198.51.100.1')
  expect(await addressSeen(proxies, ['192.0.2.1, 198.51.100.1'])).toBe('198.51.100.1')
  expect(await addressSeen(proxies, ['192.0.2.1', '198.51.100.1, 127.0.0.9'])).toBe('198.51.100.1')
  expect(await addressSeen(proxies, ['x'])).toBe('unknown')
})

test('a proxy that is no network is refused at once', () => {
  expect(() => toNodeListener(() => undefined, { trustedProxies: ['localhost'] })).toThrow('trustedProxies')
})
