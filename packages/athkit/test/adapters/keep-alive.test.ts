import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** A server that answers by path and never looks at a body, and a connection to it. */
async function connected(): Promise<{ socket: Socket; received: () => string }> {
  const server = createServer(toNodeListener((request) => new Response(new URL(request.url).pathname)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  stops.push(
    () => socket.destroy(),
    () => server.closeAllConnections(),
    () => server.close(),
  )
  let text = ''
  socket.on('data', (data) => {
    text += data
  })
  socket.on('error', () => undefined)
  return { socket, received: () => text }
}

const post = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`

async function until(check: () => boolean, milliseconds = 2000): Promise<boolean> {
  const end = Date.now() + milliseconds
  while (Date.now() < end) {
    if (check()) return true
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return false
}

describe('a request that is answered before its body was read', () => {
  test.each([10, 200_000])('with %i bytes: the next one on the connection is heard', async (length) => {
    const { socket, received } = await connected()
    socket.write(post('/first', length))
    socket.write('x'.repeat(length))
    socket.write('GET /second HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await until(() => received().includes('/second'))).toBe(true)
    expect(received()).toContain('/first')
  })

  test('a client that sends without end is hung up on', async () => {
    const { socket, received } = await connected()
    let closed = false
    socket.on('close', () => {
      closed = true
    })
    socket.write(post('/first', 1e9))
    const chunk = Buffer.alloc(65_536)
    const pump = setInterval(() => {
      if (!socket.destroyed && socket.writableLength < 1e6) socket.write(chunk)
    }, 1)
    stops.push(() => clearInterval(pump))
    expect(await until(() => closed)).toBe(true)
    expect(received()).toContain('/first')
  })
})
