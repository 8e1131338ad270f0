import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type LocalCertificates, makeLocalCertificates } from '../../../../examples/shop/src/certificates.ts'
import { createNodeResolver, type GuardedFetchOptions, guardedFetch } from '../../src/did-node/index.ts'

let certificates: LocalCertificates
beforeAll(async () => {
  certificates = await makeLocalCertificates()
})

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A TLS server on one address of this machine that writes down who connects. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  { host = '127.0.0.1', port = 0, maxVersion = 'TLSv1.3' as 'TLSv1.2' | 'TLSv1.3' } = {},
) {
  const { cert, key } = certificates
  const seen = { connections: 0, requests: [] as IncomingMessage[] }
  const server = createServer({ cert, key, maxVersion }, (request, response) => {
    seen.requests.push(request)
    answer(request, response)
  })
  server.on('connection', () => seen.connections++)
  // A client that turns away is what half of these tests are about.
  server.on('tlsClientError', () => undefined)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  return Object.assign(seen, { port: (server.address() as AddressInfo).port })
}

/** A guarded fetch in whose DNS `localhost` leads wherever the test wants. */
function guarded(answers: readonly (readonly string[])[], more: Partial<GuardedFetchOptions> = {}) {
  const lookups: string[] = []
  const fetch = guardedFetch({
    ca: certificates.ca,
    lookup: async (hostname) => {
      lookups.push(hostname)
      return answers[Math.min(lookups.length, answers.length) - 1] ?? []
    },
    onWarning: () => undefined,
    ...more,
  })
  return { lookups, fetch: (url: string, init: RequestInit = {}) => fetch(url, init) }
}
const onThisMachine = (more: Partial<GuardedFetchOptions> = {}) =>
  guarded([['127.0.0.1']], { resolveLoopback: true, ...more })

const hello = (_: IncomingMessage, response: ServerResponse): void => {
  response.setHeader('content-type', 'application/json')
  response.end('{"hello":true}')
}
const refused = (trouble: string, message: RegExp) =>
  expect.objectContaining({ trouble, message: expect.stringMatching(message), rule: 'ATH-4.5' })

describe('where it goes (ATH-4.5)', () => {
  test('to the address that was looked up, once, under the name that was asked for', async () => {
    const server = await serve(hello)
    const { fetch, lookups } = onThisMachine()
    const response = await fetch(`https://localhost:${server.port}/did.json?x`, {
      headers: { accept: 'application/json' },
    })
    expect(await response.json()).toEqual({ hello: true })
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(lookups).toEqual(['localhost'])
    expect(server.requests[0]).toMatchObject({ method: 'GET', url: '/did.json?x' })
    expect(server.requests[0]?.headers).toMatchObject({
      host: `localhost:${server.port}`,
      accept: 'application/json',
      'accept-encoding': 'identity',
    })
  })

  test('a name that is bound anew after it was checked leads nowhere else', async () => {
    const checked = await serve(hello)
    const trap = await serve(hello, { host: '127.0.0.2', port: checked.port })
    const { fetch, lookups } = guarded([['127.0.0.1'], ['127.0.0.2']], { resolveLoopback: true })
    expect((await fetch(`https://localhost:${checked.port}/`)).status).toBe(200)
    expect([lookups.length, checked.connections, trap.connections]).toEqual([1, 1, 0])
    // Each fetch has an answer of its own, and a connection of its own.
    await fetch(`https://localhost:${checked.port}/`).catch(() => undefined)
    expect([lookups.length, checked.connections]).toEqual([2, 1])
  })

  test.each([
    ['this machine', ['127.0.0.1']],
    ['this machine by IPv6', ['::1']],
    ['this machine, IPv4-mapped', ['::ffff:127.0.0.1']],
    ['this machine, IPv4-mapped in hexadecimal', ['::ffff:7f00:1']],
    ['a link-local address', ['169.254.169.254']],
    ['a link-local address of IPv6', ['fe80::1%lo']],
    ['a private address', ['10.0.0.1']],
    ['one public address and one of this machine', ['93.184.216.34', '127.0.0.1']],
    ['one of this machine and one public address', ['127.0.0.1', '93.184.216.34']],
    ['no address at all', ['what is none']],
  ])('not to %s', async (_, addresses) => {
    const server = await serve(hello)
    const { fetch } = guarded([addresses])
    await expect(fetch(`https://localhost:${server.port}/`)).rejects.toEqual(
      refused('peer_violation', /not public/),
    )
    expect(server.connections).toBe(0)
  })

  test.each([
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '0x7f.1',
    '169.254.169.254',
    '[fe80::1]',
    '10.0.0.1',
  ])('not to the literal address %s', async (host) => {
    const { fetch, lookups } = guarded([['93.184.216.34']])
    await expect(fetch(`https://${host}/`)).rejects.toEqual(refused('peer_violation', /not public/))
    expect(lookups).toEqual([])
  })

  test.each(['10.0.0.1', '169.254.169.254', 'fe80::1', '0.0.0.0'])(
    'not to %s, even where this machine is allowed',
    async (address) => {
      const { fetch } = guarded([[address]], { resolveLoopback: true })
      await expect(fetch('https://localhost/')).rejects.toEqual(refused('peer_violation', /not public/))
    },
  )

  test('this machine by its literal address, where that is allowed', async () => {
    const server = await serve(hello)
    expect((await onThisMachine().fetch(`https://127.0.0.1:${server.port}/`)).status).toBe(200)
  })

  test('a name without an address, and a DNS that fails, are no answer', async () => {
    await expect(guarded([[]]).fetch('https://localhost/')).rejects.toEqual(
      refused('transport_failed', /no address/),
    )
    const { fetch } = guarded([], { lookup: () => Promise.reject(new Error('NXDOMAIN')) })
    await expect(fetch('https://localhost/')).rejects.toEqual(refused('transport_failed', /DNS/))
  })

  test('to this machine only with a warning', () => {
    const warnings: string[] = []
    guardedFetch({ onWarning: (message) => void warnings.push(message) })
    expect(warnings).toEqual([])
    guardedFetch({ resolveLoopback: true, onWarning: (message) => void warnings.push(message) })
    expect(warnings).toEqual([expect.stringMatching(/^resolveLoopback: .*development/)])
  })
})

describe('what it takes for an answer (ATH-4.5)', () => {
  test.each([301, 302, 303, 307, 308, 304])('no redirect: %i', async (status) => {
    const trap = await serve(hello)
    const server = await serve((_, response) => {
      response.writeHead(status, { location: `https://localhost:${trap.port}/` }).end()
    })
    const { fetch, lookups } = onThisMachine()
    await expect(fetch(`https://localhost:${server.port}/`)).rejects.toEqual(
      refused('peer_violation', /redirect/),
    )
    expect([lookups.length, trap.connections]).toEqual([1, 0])
  })

  test.each(['http://localhost/', 'ftp://localhost/', 'file:///etc/passwd', 'localhost', ''])(
    'nothing but https: %s',
    async (url) => {
      const { fetch, lookups } = onThisMachine()
      await expect(fetch(url)).rejects.toEqual(refused('peer_violation', /not an https/))
      expect(lookups).toEqual([])
    },
  )

  test.each([
    ['a user and a password', 'https://user:secret@localhost/', /password/],
    ['a user', 'https://user@localhost/', /password/],
    ['a password', 'https://:secret@localhost/', /password/],
    ['a trailing dot', 'https://localhost./', /trailing dot/],
  ])('no URL with %s', async (_, url, message) => {
    await expect(onThisMachine().fetch(url)).rejects.toEqual(refused('peer_violation', message))
  })

  test('nothing but GET', async () => {
    await expect(onThisMachine().fetch('https://localhost/', { method: 'POST' })).rejects.toThrow(TypeError)
  })

  test('64 KiB, and not one byte more, whether or not it says so before', async () => {
    for (const announce of [true, false]) {
      const of = (size: number) =>
        serve((_, response) => {
          if (announce) response.setHeader('content-length', size)
          response.write('x'.repeat(size / 2))
          response.end('x'.repeat(size - size / 2))
        })
      const [fits, exceeds] = [await of(65_536), await of(65_538)]
      const { fetch } = onThisMachine()
      expect(await (await fetch(`https://localhost:${fits.port}/`)).text()).toHaveLength(65_536)
      await expect(fetch(`https://localhost:${exceeds.port}/`)).rejects.toEqual(
        refused('peer_violation', /more than 65536/),
      )
    }
  })

  test('no body without an end', async () => {
    let sent = 0
    const server = await serve((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384))) sent++
      }
      response.on('drain', more)
      more()
    })
    await expect(onThisMachine().fetch(`https://localhost:${server.port}/`)).rejects.toEqual(
      refused('peer_violation', /more than/),
    )
    expect(sent).toBeLessThan(10_000)
  })

  test.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ['that never begins', () => undefined],
    [
      'that comes byte by byte',
      (_, response) => {
        const timer = setInterval(() => response.write('x'), 10)
        response.on('close', () => clearInterval(timer))
      },
    ],
    ['whose body does not go on', (_, response) => void response.writeHead(200).write('{')],
  ])('no answer %s: the time is that of the whole', async (_, answer) => {
    const server = await serve(answer)
    const began = performance.now()
    await expect(onThisMachine({ within: 150 }).fetch(`https://localhost:${server.port}/`)).rejects.toEqual(
      refused('transport_failed', /in time/),
    )
    expect(performance.now() - began).toBeLessThan(1500)
  })

  test('no DNS that does not answer', async () => {
    const { fetch } = onThisMachine({ within: 50, lookup: () => new Promise(() => undefined) })
    await expect(fetch('https://localhost/')).rejects.toEqual(refused('transport_failed', /in time/))
  })

  test('no encoding that nobody asked for: it could be a bomb', async () => {
    const server = await serve((_, response) => {
      response.setHeader('content-encoding', 'gzip')
      response.end(gzipSync('x'.repeat(1_000_000)))
    })
    await expect(onThisMachine().fetch(`https://localhost:${server.port}/`)).rejects.toEqual(
      refused('peer_violation', /encoding/),
    )
  })

  test('a body that breaks off is no answer', async () => {
    const server = await serve((_, response) => {
      response.setHeader('content-length', 100)
      response.write('x')
      setTimeout(() => response.destroy(), 10)
    })
    await expect(onThisMachine().fetch(`https://localhost:${server.port}/`)).rejects.toEqual(
      refused('transport_failed', /failed/),
    )
  })

  test("the caller's signal is heard", async () => {
    const server = await serve(() => undefined)
    const gone = new AbortController()
    const answer = onThisMachine().fetch(`https://localhost:${server.port}/`, { signal: gone.signal })
    setTimeout(() => gone.abort(new Error('enough')), 30)
    await expect(answer).rejects.toThrow('enough')
    await expect(
      onThisMachine().fetch('https://localhost/', { signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before')
  })

  test('other statuses are answers, with or without a body', async () => {
    for (const status of [200, 204, 404, 500]) {
      const server = await serve((_, response) => void response.writeHead(status).end())
      expect((await onThisMachine().fetch(`https://localhost:${server.port}/`)).status).toBe(status)
    }
  })
})

describe('TLS', () => {
  test('a certificate for another name is refused', async () => {
    const server = await serve(hello)
    await expect(onThisMachine().fetch(`https://other.example:${server.port}/`)).rejects.toEqual(
      refused('transport_failed', /connection failed/),
    )
    expect(server.requests).toEqual([])
  })

  test('an authority that nobody trusts is refused', async () => {
    const server = await serve(hello)
    const { ca } = await makeLocalCertificates()
    await expect(onThisMachine({ ca }).fetch(`https://localhost:${server.port}/`)).rejects.toEqual(
      refused('transport_failed', /connection failed/),
    )
  })

  test('TLS 1.2 is refused (ATH-3.1)', async () => {
    const server = await serve(hello, { maxVersion: 'TLSv1.2' })
    await expect(onThisMachine().fetch(`https://localhost:${server.port}/`)).rejects.toEqual(
      refused('transport_failed', /connection failed/),
    )
  })
})

describe('createNodeResolver', () => {
  const open = (more: object = {}) =>
    createNodeResolver({
      ca: certificates.ca,
      lookup: async () => ['127.0.0.1'],
      resolveLoopback: true,
      onWarning: () => undefined,
      ...more,
    })

  test('resolves did:web from a real server', async () => {
    const server = await serve((request, response) => {
      const path = request.url === '/.well-known/did.json' ? '' : ':user:alice'
      response.end(JSON.stringify({ id: `did:web:localhost%3A${server.port}${path}` }))
    })
    for (const did of [
      `did:web:localhost%3A${server.port}`,
      `did:web:localhost%3A${server.port}:user:alice`,
    ]) {
      expect((await open().resolve(did)).document.id).toBe(did)
    }
    expect(server.requests.map(({ url }) => url)).toEqual(['/.well-known/did.json', '/user/alice/did.json'])
  })

  test('does not reach this machine by did:web unless it is told to', async () => {
    const server = await serve(hello)
    await expect(
      open({ resolveLoopback: false }).resolve(`did:web:localhost%3A${server.port}`),
    ).rejects.toMatchObject({ error: 'identity_unknown' })
    expect(server.connections).toBe(0)
  })

  test('takes other methods, which come before its own', async () => {
    const find = async (did: string) => ({ document: { id: did, found: true } })
    const resolver = open({
      methods: new Map([
        ['example', find],
        ['web', find],
      ]),
    })
    for (const did of ['did:example:x', 'did:web:agent.example']) {
      expect((await resolver.resolve(did)).document.found).toBe(true)
    }
  })
})
