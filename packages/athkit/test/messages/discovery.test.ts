import { describe, expect, test } from 'vitest'
import type { Json } from '../../src/crypto/json.ts'
import * as m from '../../src/messages/index.ts'
import { AUDIENCE, refusalOf } from './common.ts'

const document = m.createDiscoveryDocument({
  version: '0.1',
  appId: 'shop',
  name: 'Shop',
  serverDid: 'did:ath:shop_1',
  endpoints: { inbox_endpoint: '/mail' },
  capabilities: ['ES256', 'TLS1.3'],
  scopes: new Map([['goods:read', 'Search products']]),
})

describe('the discovery document (ATH-3.2)', () => {
  test('names every endpoint, and a client reads them as URLs of the origin it asked', () => {
    expect(document).toEqual({
      ath_version: '0.1',
      app_id: 'shop',
      name: 'Shop',
      server_did: 'did:ath:shop_1',
      handshake_endpoint: '/ath/handshake',
      session_endpoint: '/ath/sealed',
      confirmation_endpoint: '/ath/confirmations',
      inbox_endpoint: '/mail',
      grants_endpoint: '/ath/grants',
      revocation_endpoint: '/ath/revocations',
      capabilities: ['ES256', 'TLS1.3'],
      scopes_supported: ['goods:read'],
      scope_descriptions: { 'goods:read': 'Search products' },
    })
    const { endpoints } = m.parseDiscovery(document, AUDIENCE)
    expect(endpoints.inbox_endpoint).toBe('https://shop.example/mail')
    expect(endpoints.handshake_endpoint).toBe('https://shop.example/ath/handshake')
  })

  test('says where things are by default when it says nothing', () => {
    const { endpoints } = m.parseDiscovery({ session_endpoint: null }, AUDIENCE)
    expect(endpoints.session_endpoint).toBe('https://shop.example/ath/sealed')
    expect(Object.keys(endpoints)).toEqual([...m.ENDPOINT_NAMES])
  })

  test.each([
    'https://shop.example/ath',
    'https://victim.example/ath',
    '//victim.example/ath',
    '/\\victim.example/ath',
    '\\\\victim.example',
    'ath',
    '',
    ' /ath',
    '/ath ',
    '/a/../b',
    '/a/./b',
    '/..',
    '/a/%2e%2e/b',
    '/a/%2E./b',
    '/ath?x=1',
    '/ath?',
    '/ath#x',
    '/ath#',
    '/a\tb',
    '/a\nb',
    '/ä',
  ])('with the endpoint %j is refused, by client and server alike', async (path) => {
    for (const name of m.ENDPOINT_NAMES) {
      expect(await refusalOf(() => m.parseDiscovery({ ...document, [name]: path }, AUDIENCE))).toBe(
        'malformed_message',
      )
      expect(await refusalOf(() => m.endpointPaths({ [name]: path }))).toBe('malformed_message')
    }
  })

  test('that is not an object, or has a member of another type, is refused', async () => {
    const wrong: Json[] = [null, 1, 'text', [], [document], { session_endpoint: false }]
    wrong.push({ capabilities: 'ES256' }, { scope_descriptions: [1] }, { scope_descriptions: { a: 1 } })
    for (const body of wrong) {
      expect(await refusalOf(() => m.parseDiscovery(body, AUDIENCE)), JSON.stringify(body)).toBe(
        'malformed_message',
      )
    }
  })
})

describe('an origin (ATH-3.1)', () => {
  test.each([
    'https://shop.example/',
    'https://shop.example:443',
    'https://SHOP.example',
    'https://shop.example.',
    'https://user@shop.example',
    'http://shop.example',
    'http://localhost:8080',
    'wss://shop.example',
    'shop.example',
    '',
  ])('%s is refused', async (origin) => {
    expect(await refusalOf(() => m.parseDiscovery(document, origin))).toBe('malformed_message')
  })

  test('may be plaintext on loopback alone, and only when that is allowed', async () => {
    const allowed = { allowPlaintextOnLoopback: true }
    for (const origin of ['http://localhost:8080', 'http://127.0.0.1:8080', 'http://[::1]:8080']) {
      expect(m.checkOrigin(origin, allowed)).toBe(origin)
      expect(await refusalOf(() => m.checkOrigin(origin))).toBe('malformed_message')
    }
    for (const origin of ['http://shop.example', 'http://127.0.0.1.example', 'http://localhost.example']) {
      expect(await refusalOf(() => m.checkOrigin(origin, allowed))).toBe('malformed_message')
    }
  })
})

describe('the Location of a handshake (ATH-3.3)', () => {
  const endpoint = `${AUDIENCE}/ath/handshake`

  test.each(['/ath/handshake/abc', `${AUDIENCE}/ath/handshake/abc`, 'handshake/abc'])(
    'may be %s',
    (location) => {
      expect(m.resolveLocation(location, endpoint)).toBe(`${AUDIENCE}/ath/handshake/abc`)
    },
  )

  test.each([
    null,
    undefined,
    '',
    7,
    'https://victim.example/ath/handshake/abc',
    'https://shop.example:9443/ath/handshake/abc',
    'http://shop.example/ath/handshake/abc',
    'https://shop.example./abc',
    '//victim.example/abc',
    '/\\victim.example/abc',
    'https://user:word@shop.example/abc',
    '/abc#fragment',
    'javascript:alert(1)',
    'https://[',
  ])('%j is refused', async (location: Json) => {
    expect(await refusalOf(() => m.resolveLocation(location, endpoint))).toBe('malformed_message')
  })
})
