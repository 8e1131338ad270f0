import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { toNodeListener } from '../../src/adapters/node.ts'
import { checkErrorObject } from '../../src/messages/error-object.ts'

/** `fetch` sends no such method, so the request is written by hand. */
async function answerTo(method: string): Promise<string> {
  const server = createServer(toNodeListener(() => new Response('handled')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.end(`${method} /ath/handshake HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  let text = ''
  for await (const data of socket) text += data
  server.close()
  return text
}

test('a method that no Request can have is 405, by the name of ATH-9', async () => {
  expect(await answerTo('GET')).toContain('handled')
  const answer = await answerTo('TRACE')
  expect(answer).toMatch(/^HTTP\/1\.1 405 /)
  expect(answer).toMatch(/^cache-control: no-store/im)
  expect(checkErrorObject(405, JSON.parse(/\{.*\}/.exec(answer)?.[0] ?? ''))).toMatchObject({
    error: 'malformed_message',
  })
})
