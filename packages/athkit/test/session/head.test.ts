import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/crypto/bytes.ts'
import { type ErrorName, HandshakeError } from '../../src/errors.ts'
import { checkHeadTimestamp, isOwnPath, readRequestHead, readResponseHead } from '../../src/session/head.ts'
import { decodeRequestHeader, encodeRequestHeader } from '../../src/session/header.ts'

const NOW = 1_717_200_000
const ENDPOINTS = ['/ath/handshake', '/ath/sealed', '/.well-known/ath-app.json']
const head = (more: object = {}) =>
  utf8(
    JSON.stringify({ method: 'GET', path: '/api/goods?keyword=phone', headers: [], timestamp: NOW, ...more }),
  )
const read = (more: object = {}) => readRequestHead(head(more), ENDPOINTS)

function nameOf(attempt: () => unknown): ErrorName | undefined {
  try {
    attempt()
    return undefined
  } catch (error) {
    if (error instanceof HandshakeError) return error.error
    throw error
  }
}

describe('the head of a sealed request (ATH-7.4)', () => {
  test.each([
    [{}],
    [{ method: 'PATCH' }],
    [{ method: 'X-OWN' }],
    [{ path: '/' }],
    [{ path: '/a/b/' }],
    [{ path: '/a%20b?q=%2F..#'.slice(0, -1) }],
    [{ path: '/ath' }],
    [{ path: '/ath/handshakes' }],
    [
      {
        headers: [
          ['accept', 'text/html; q=0.5'],
          ['x-empty', ''],
        ],
      },
    ],
    [{ unknown: { nested: true } }],
  ])('%j stands', (more) => {
    expect(nameOf(() => read(more))).toBeUndefined()
  })

  test.each([
    [
      'method',
      [{ method: '' }, { method: 'GET ' }, { method: 'CONNECT' }, { method: 'trace' }, { method: 7 }],
    ],
    [
      'path',
      [
        { path: '' },
        { path: 'api' },
        { path: '//evil.example/' },
        { path: '/%2Fevil.example' },
        { path: 'https://evil.example/' },
        { path: '*' },
        { path: '/a b' },
        { path: '/a#b' },
        { path: '/a%23b' },
        { path: '/a\\b' },
        { path: '/a%5Cb' },
        { path: '/a%00b' },
        { path: '/a%0d%0aSet-Cookie:b' },
        { path: '/%' },
        { path: '/%zz' },
        { path: '/é' },
        { path: '/.' },
        { path: '/a/../b' },
        { path: '/a/%2e%2E/b' },
        { path: '/%2e' },
      ],
    ],
    [
      'endpoints of ATH',
      [
        { path: '/ath/handshake' },
        { path: '/ath/handshake/abc' },
        { path: '/ath/sealed?x=1' },
        { path: '/%61th/sealed' },
        { path: '/.well-known/ath-app.json' },
      ],
    ],
    [
      'own paths in any other way',
      [
        { path: '/ath/session', method: 'GET' },
        { path: '/ath/session/keys', method: 'GET' },
        { path: '/ath/session/other', method: 'POST' },
        { path: '/ath/session/keys?x', method: 'POST' },
        { path: '/%61th/session', method: 'DELETE' },
      ],
    ],
    [
      'headers',
      [
        { headers: [['a b', 'c']] },
        { headers: [['', 'c']] },
        { headers: [['a', 'b\r\nc: d']] },
        { headers: [['a', ' b']] },
        { headers: [['a', 'b ']] },
        { headers: [['a', '\u0100']] },
        { headers: [['a', '\u0000']] },
        { headers: [['a']] },
        { headers: [['a', 'b', 'c']] },
        { headers: { a: 'b' } },
        ...[
          'Host',
          'content-length',
          'Connection',
          'TE',
          'transfer-encoding',
          'Upgrade',
          'Forwarded',
          'X-Forwarded-For',
          'x-real-ip',
          'via',
          'proxy-authorization',
        ].map((name) => ({ headers: [[name, 'x']] })),
      ],
    ],
    ['timestamp', [{ timestamp: '1' }, { timestamp: -1 }, { timestamp: 1.5 }, { timestamp: null }]],
  ])('%s: each is malformed', (_, heads) => {
    for (const more of heads)
      expect(
        nameOf(() => read(more)),
        JSON.stringify(more),
      ).toBe('malformed_message')
  })

  test('not an object, not JSON, twice the same member', () => {
    for (const text of ['', '[]', 'null', '{', '{"method":"GET","method":"GET"}', '\ufeff{}']) {
      expect(
        nameOf(() => readRequestHead(utf8(text), ENDPOINTS)),
        text,
      ).toBe('malformed_message')
    }
  })

  test('its clock may be 300 s off, and no more', () => {
    for (const timestamp of [NOW - 300, NOW, NOW + 300]) checkHeadTimestamp(read({ timestamp }), NOW)
    for (const timestamp of [NOW - 301, NOW + 301]) {
      expect(nameOf(() => checkHeadTimestamp(read({ timestamp }), NOW))).toBe('timestamp_skew')
    }
  })

  test('whatever it is, it is read or refused by name', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.webPath(), (value, path) => {
        for (const more of [{ path }, { headers: value }, { method: value }, { path: value }]) {
          expect([undefined, 'malformed_message']).toContain(nameOf(() => read(more)))
        }
      }),
      { numRuns: 300, seed: 21 },
    )
  })

  test('the session has three paths of its own', () => {
    const own = [
      ['POST', '/ath/session/keys'],
      ['POST', '/ath/session/token'],
      ['DELETE', '/ath/session'],
    ] as const
    for (const [method, path] of own) expect(isOwnPath(read({ method, path }))).toBe(true)
    expect(isOwnPath(read({ method: 'POST', path: '/api/order' }))).toBe(false)
  })
})

describe('the head of a sealed response (ATH-7.4)', () => {
  const response = (more: object) =>
    readResponseHead(utf8(JSON.stringify({ status: 200, headers: [], ...more })))
  test('a status from 200 to 599', () => {
    for (const status of [200, 404, 599]) expect(response({ status }).status).toBe(status)
    for (const status of [0, 100, 199, 600, 200.5, '200', null]) {
      expect(
        nameOf(() => response({ status })),
        String(status),
      ).toBe('malformed_message')
    }
  })
  test('headers that a response could not have', () => {
    for (const headers of [[['a', 'b\nc']], [['a:', 'b']], 'a: b']) {
      expect(nameOf(() => response({ headers }))).toBe('malformed_message')
    }
  })
})

describe('the header of a sealed request (ATH-7.2)', () => {
  test('any comes back', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.maxSafeNat(),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (sid, epoch, seq, salt) => {
          const bytes = encodeRequestHeader({ sid, epoch, seq, salt })
          expect(bytes).toHaveLength(45)
          const decoded = decodeRequestHeader(bytes)
          expect([decoded.epoch, decoded.seq]).toEqual([epoch, seq])
          expect(Buffer.from(decoded.sid).equals(sid) && Buffer.from(decoded.salt).equals(salt)).toBe(true)
        },
      ),
      { seed: 22 },
    )
  })

  test('of another version or length, or with a number beyond 2^53−1, it is malformed', () => {
    const good = encodeRequestHeader({
      sid: new Uint8Array(16),
      epoch: 0,
      seq: 2 ** 53 - 1,
      salt: new Uint8Array(16),
    })
    expect(decodeRequestHeader(good).seq).toBe(2 ** 53 - 1)
    const bad = [good.slice(0, 44), new Uint8Array(46), Uint8Array.from(good), Uint8Array.from(good)]
    ;(bad[2] as Uint8Array)[0] = 2
    ;(bad[3] as Uint8Array)[22] = 0x20
    for (const bytes of bad) expect(nameOf(() => decodeRequestHeader(bytes))).toBe('malformed_message')
  })
})
