import { base58 } from '@scure/base'
import { describe, expect, test } from 'vitest'
import { toBase64url } from '../../src/crypto/bytes.ts'
import { createResolver, didWebUrl, documentOfKey, keysOf, webMethod } from '../../src/did/index.ts'
import { AthError } from '../../src/errors.ts'
import type { Fetch } from '../../src/net/request.ts'

const NOW = 1_717_200_000

/** Public examples of the did:key specification. */
describe('did:key (ATH-4.2)', () => {
  test.each([
    [
      'P-256',
      'did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169',
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'fyNYMN0976ci7xqiSdag3buk-ZCwgXU4kz9XNkBlNUI',
        y: 'hW2ojTNfH7Jbi8--CJUo3OCbH3y5n91g-IMA9MLMbTU',
      },
    ],
    [
      'P-256, another',
      'did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv',
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'igrFmi0whuihKnj9R3Om1SoMph72wUGeFaBbzG2vzns',
        y: 'efsX5b10x8yjyrj4ny3pGfLcY7Xby1KzgqOdqnsrJIM',
      },
    ],
    [
      'Ed25519',
      'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp',
      {
        kty: 'OKP',
        crv: 'Ed25519',
        x: toBase64url(base58.decode('4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS')),
      },
    ],
  ])('%s', async (_, did, jwk) => {
    const { document } = await createResolver().resolve(did)
    for (const relationship of ['authentication', 'assertionMethod', 'capabilityInvocation'] as const) {
      expect((await keysOf(document, relationship)).map((key) => key.jwk)).toEqual([jwk])
    }
    const [key] = await keysOf(document, 'authentication')
    expect(document).toEqual(documentOfKey(did, key as never))
    expect(document.authentication).toEqual([`${did}#${did.slice('did:key:'.length)}`])
  })

  test.each([
    ['of X25519', 'did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc'],
    ['of secp256k1', 'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme'],
    ['with a fragment', 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp#x'],
    ['of nothing', 'did:key:z'],
  ])('%s is refused', async (_, did) => {
    await expect(createResolver().resolve(did)).rejects.toMatchObject({ error: 'malformed_message' })
  })
})

describe('did:web (ATH-4.2): where its document is', () => {
  test.each([
    // Public examples of the did:web specification.
    ['did:web:w3c-ccg.github.io', 'https://w3c-ccg.github.io/.well-known/did.json'],
    ['did:web:w3c-ccg.github.io:user:alice', 'https://w3c-ccg.github.io/user/alice/did.json'],
    ['did:web:example.com%3A3000', 'https://example.com:3000/.well-known/did.json'],
    ['did:web:example.com%3A3000:user:alice', 'https://example.com:3000/user/alice/did.json'],
    ['did:web:Example.COM', 'https://example.com/.well-known/did.json'],
    ['did:web:example.com:%C3%A9', 'https://example.com/%C3%A9/did.json'],
  ])('%s', (did, url) => {
    expect(didWebUrl(did).href).toBe(url)
  })

  test.each([
    ['an IPv4 address', 'did:web:127.0.0.1'],
    ['an IPv4 address as one number', 'did:web:2130706433'],
    ['an IPv4 address in hexadecimal', 'did:web:0x7f000001'],
    ['an IPv6 address', 'did:web:%5B%3A%3A1%5D'],
    ['a trailing dot', 'did:web:example.com.'],
    ['a password', 'did:web:user%40example.com'],
    ['a slash in the host', 'did:web:example.com%2Fx'],
    ['a query in the host', 'did:web:example.com%3Fx'],
    ['a port that is none', 'did:web:example.com%3A99999'],
    ['a port with letters', 'did:web:example.com%3A80a'],
    ['a dot segment', 'did:web:example.com:..:x'],
    ['an encoded dot segment', 'did:web:example.com:%2e%2E:x'],
    ['an encoded slash', 'did:web:example.com:a%2Fb'],
    ['an encoded backslash', 'did:web:example.com:a%5Cb'],
    ['an encoded line end', 'did:web:example.com:a%0D%0Ab'],
    ['an empty segment', 'did:web:example.com::x'],
    ['broken encoding', 'did:web:example.com:%zz'],
  ])('%s is refused', (_, did) => {
    expect(() => didWebUrl(did)).toThrow(expect.objectContaining({ error: 'identity_unknown' }))
  })
})

describe('did:web over HTTP', () => {
  const did = 'did:web:agent.example'
  const document = { id: did, authentication: [] }
  const clock = () => NOW
  function world(answer: Fetch) {
    const sent: { url: string; init: RequestInit }[] = []
    const fetch: Fetch = async (url, init) => {
      sent.push({ url, init })
      return answer(url, init)
    }
    const method = webMethod({ fetch, now: clock })
    return { sent, method, resolver: createResolver({ methods: new Map([['web', method]]), now: clock }) }
  }

  test('resolves', async () => {
    const { resolver, sent } = world(async () => Response.json(document))
    expect(await resolver.resolve(did)).toEqual({ document })
    expect(sent).toMatchObject([
      {
        url: 'https://agent.example/.well-known/did.json',
        init: { redirect: 'manual', credentials: 'omit' },
      },
    ])
  })

  test.each<[string, string, () => Response | Promise<Response>]>([
    ['404', 'identity_unknown', () => new Response(null, { status: 404 })],
    ['a document of another DID', 'identity_unknown', () => Response.json({ ...document, id: `${did}:x` })],
    ['a document without an id', 'identity_unknown', () => Response.json({})],
    ['a list', 'identity_unknown', () => Response.json([document])],
    ['null', 'identity_unknown', () => new Response('null')],
    ['no JSON', 'identity_unknown', () => new Response('<html>')],
    ['two members of one name', 'identity_unknown', () => new Response(`{"id":"${did}","id":"${did}"}`)],
    ['more than 64 KiB', 'identity_unknown', () => Response.json({ ...document, x: 'x'.repeat(65_536) })],
    [
      'a redirect',
      'identity_unknown',
      () => new Response(null, { status: 302, headers: { location: 'https://127.0.0.1/' } }),
    ],
    ['500', 'resolver_unavailable', () => new Response(null, { status: 500 })],
    ['no connection', 'resolver_unavailable', () => Promise.reject(new TypeError('fetch failed'))],
    [
      'an address that is not public',
      'identity_unknown',
      () => Promise.reject(new AthError('peer_violation', 'leads to an address that is not public')),
    ],
  ])('%s does not resolve', async (_, error, answer) => {
    await expect(world(async () => answer()).resolver.resolve(did)).rejects.toMatchObject({ error })
  })

  test('at most 4 fetches at once for one host, and for one who asks (ATH-4.4)', async () => {
    for (const [didOf, requesterOf] of [
      [(i: number) => `did:web:agent.example:${i}`, (i: number) => `requester ${i}`],
      [(i: number) => `did:web:agent${i}.example`, () => 'requester'],
    ] as const) {
      const release: (() => void)[] = []
      let running = 0
      let most = 0
      const { method } = world(async () => {
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => release.push(resolve))
        running--
        return new Response(null, { status: 404 })
      })
      const all = Array.from({ length: 13 }, (_, i) => method(didOf(i), requesterOf(i)))
      const outcomes = Promise.allSettled(all)
      for (let i = 0; i < 200 && release.length < 12; i++) {
        await new Promise((resolve) => setTimeout(resolve, 1))
        release.at(-1)?.()
      }
      for (const go of release) go()
      const settled = await outcomes
      expect(most).toBe(4)
      // Twelve had room, running or in line; the thirteenth had none.
      expect(settled.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1)
    }
  })

  test('a full line is the requester’s own fault, and no word about the DID', async () => {
    let held = true
    const { resolver } = world(async () => {
      while (held) await new Promise((resolve) => setTimeout(resolve, 1))
      return Response.json(document)
    })
    const asks = Array.from({ length: 12 }, (_, i) =>
      resolver.resolve(`did:web:a${i}.example`, { requester: 'greedy' }).catch(() => undefined),
    )
    const refused = resolver.resolve(did, { requester: 'greedy' })
    await expect(refused).rejects.toMatchObject({ error: 'rate_limited', retryAfter: 1 })
    held = false
    expect(await resolver.resolve(did, { requester: 'another' })).toEqual({ document })
    await Promise.all(asks)
  })

  test('a host that failed is left alone for 10 s, one wrong document of it is not (ATH-4.4)', async () => {
    let now = NOW
    let answer = async (): Promise<Response> => new Response(null, { status: 500 })
    const sent: string[] = []
    const fetch: Fetch = async (url) => {
      sent.push(url)
      return answer()
    }
    const method = webMethod({ fetch, now: () => now })
    await expect(method(did)).rejects.toMatchObject({ trouble: 'transport_failed' })
    await expect(method(`${did}:other`)).rejects.toMatchObject({ trouble: 'transport_failed' })
    expect(sent).toHaveLength(1)
    now += 10
    answer = async () => new Response('no JSON')
    await expect(method(did)).rejects.toMatchObject({ error: 'identity_unknown' })
    answer = async () => Response.json({ id: `${did}:other` })
    expect(await method(`${did}:other`)).toEqual({ document: { id: `${did}:other` } })
    expect(sent).toHaveLength(3)
  })
})
