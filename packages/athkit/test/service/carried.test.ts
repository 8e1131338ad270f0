import { expect, test } from 'vitest'
import { acceptCarried, carried, headersOf, wholeAnswer } from '../../src/service/carried.ts'

const BODY = new TextEncoder().encode('{}')
const LISTED = [
  ['content-type', 'application/json'],
  ['location', '/ath/handshake/1'],
] as const
const answer = () => wholeAnswer(acceptCarried(new Request('https://localhost/')), BODY, 201, LISTED)

test('an answer is sent as it was listed', () => {
  const response = answer()
  expect([response.status, [...headersOf(response)], carried(response)]).toEqual([201, LISTED, BODY])
})

test('headers that somebody has looked at and changed are sent as they are then', () => {
  const response = answer()
  response.headers.set('x-seen', '1')
  response.headers.delete('location')
  expect([...headersOf(response)]).toEqual([
    ['content-type', 'application/json'],
    ['x-seen', '1'],
  ])
})

test('whoever takes it for a Response finds everything where it always is', async () => {
  for (const copy of [answer().clone(), new Response(answer().body, answer())]) {
    expect([copy.status, copy.headers.get('location'), await copy.text()]).toEqual([
      201,
      '/ath/handshake/1',
      '{}',
    ])
  }
})

test('for any other request it is a Response like all others', async () => {
  const response = wholeAnswer(new Request('https://localhost/'), BODY, 201, LISTED)
  expect([carried(response), await response.text(), [...response.headers]]).toEqual([undefined, '{}', LISTED])
})
