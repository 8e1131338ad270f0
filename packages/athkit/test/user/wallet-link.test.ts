import { describe, expect, test } from 'vitest'
import { refuse } from '../../src/errors.ts'
import type { ConfirmationRequestOptions } from '../../src/handshake/index.ts'
import { documentOf, eventOf, events, json, linkWorld, NOW, party, refusal, take } from './link-world.ts'

const other = await party()

describe('a question is shown to nobody before it is verified (ATH-6.3.1)', () => {
  const cases: [string, Partial<ConfirmationRequestOptions>, string][] = [
    ['of another server', { server: other }, 'signature_invalid'],
    ['of another server, signed by the pinned one', {}, 'key_mismatch'],
    ['for another audience', { audience: 'https://bank.example' }, 'signature_invalid'],
    ['for another user', { userDid: other.did }, 'signature_invalid'],
    ['expired', { expiresAt: NOW }, 'confirmation_timeout'],
    ['open for more than 600 s', { expiresAt: NOW + 601 }, 'malformed_message'],
    ['beyond the credential', { scopes: ['goods:read', 'user:profile'] }, 'scopes_invalid'],
    ['about a credential of another agent', { clientDid: other.did }, 'credential_invalid'],
    ['about a credential that was never signed', { credentialId: 'unknown' }, 'credential_invalid'],
  ]
  test.each(cases)('one %s', async (name, more, expected) => {
    let pending: unknown[] = []
    const made = await linkWorld({ streams: [() => json(200, { pending } as never)] })
    const server = name.includes('signed by the pinned one')
      ? { did: other.did, signer: made.server.signer }
      : made.server
    pending = [await made.question({ server, ...more }), await made.question()]
    const questions = await made.link.pending()
    expect(questions.map(({ request_id }) => request_id)).toEqual(['req_1'])
    expect(made.refusedQuestions).toEqual([expected])
  })

  test('altered on the way', async () => {
    const made = await linkWorld({
      streams: [
        async () => json(200, { pending: [{ ...(await made.asked), binding_code: '43' }, { type: 'x' }] }),
      ],
    })
    expect(await made.link.pending()).toEqual([])
    expect(made.refusedQuestions).toEqual(['signature_invalid', 'malformed_message'])
  })

  test('about an unknown credential, where that is allowed', async () => {
    const made = await linkWorld({
      link: { allowQuestionsAboutUnknownCredentials: true },
      streams: [async () => json(200, { pending: [await made.question({ credentialId: 'unknown' })] })],
    })
    expect((await made.link.pending()).length).toBe(1)
  })

  test('a server that changed its key is looked up anew', async () => {
    const asked: boolean[] = []
    const made = await linkWorld({
      link: {
        resolver: {
          async resolve(_, { fresh = false } = {}) {
            asked.push(fresh)
            return { document: documentOf(fresh ? made.server : other) }
          },
        },
      },
      streams: [async () => json(200, { pending: [await made.asked] })],
    })
    expect((await made.link.pending()).length).toBe(1)
    expect(asked).toEqual([false, true])
    // Its receipts as well.
    await made.link.revoke({ grant: 'grant-1' })
    expect(asked).toEqual([false, true, false, true])
  })

  test('a server that was deactivated asks nothing', async () => {
    const made = await linkWorld({
      link: { resolver: { resolve: async () => ({ document: documentOf(made.server), deactivated: true }) } },
      streams: [async () => json(200, { pending: [await made.asked] })],
    })
    expect(await made.link.pending()).toEqual([])
    expect(made.refusedQuestions).toEqual(['identity_revoked'])
  })
})

describe('questions, as they come', () => {
  test('a stream, opened again when it ends; each question once; a token for each', async () => {
    const stop = new AbortController()
    const made = await linkWorld({
      streams: [
        async () => events([': open\n\n', eventOf(await made.asked)]),
        async () =>
          events([eventOf(await made.asked), eventOf(await made.question({ requestId: 'req_2' }))], {
            open: true,
          }),
      ],
    })
    const taken = await take(made.link.questions(stop.signal), 2, stop)
    expect(taken.map(({ request_id }) => request_id)).toEqual(['req_1', 'req_2'])
    const inbox = made.calls.filter(({ path }) => path === '/ath/inbox')
    expect(inbox.map(({ headers }) => headers.get('accept'))).toEqual([
      'text/event-stream',
      'text/event-stream',
    ])
    expect(new Set(made.tokens.map(({ jti }) => jti)).size).toBe(2)
    expect(made.tokens[0]).toMatchObject({
      iss: made.user.did,
      aud: 'https://shop.example',
      iat: NOW,
      exp: NOW + 300,
    })
  })

  test('events in any chunks, with any line ends', async () => {
    const stop = new AbortController()
    const made = await linkWorld({
      streams: [
        async () => {
          const text =
            eventOf(await made.asked) +
            eventOf(await made.question({ requestId: 'req_2' })).replaceAll('\n', '\r\n')
          return events([...text])
        },
      ],
    })
    const taken = await take(made.link.questions(stop.signal), 2, stop)
    expect(taken.length).toBe(2)
  })

  test('where there is no stream: it asks again and again', async () => {
    const stop = new AbortController()
    const made = await linkWorld({
      streams: [
        () => json(200, { pending: [] }),
        () => json(200, { pending: [] }),
        async () => json(200, { pending: [await made.asked] }),
      ],
    })
    const taken = await take(made.link.questions(stop.signal), 1, stop)
    expect(taken.length).toBe(1)
    const waits = made.calls
      .filter(({ path }) => path === '/ath/inbox')
      .map(({ headers }) => headers.get('prefer'))
    expect(waits).toEqual([null, 'wait=60', 'wait=60'])
  })

  test('a stream that fails is opened again', async () => {
    const stop = new AbortController()
    const failing = () => {
      throw new TypeError('connection reset')
    }
    const busy = () => json(503, { ...refuse('store_unavailable', 'x').toWire(NOW) }, { 'retry-after': '1' })
    const made = await linkWorld({
      streams: [failing, busy, failing, async () => events([eventOf(await made.asked)], { open: true })],
    })
    expect((await take(made.link.questions(stop.signal), 1, stop)).length).toBe(1)
  })

  test.each([
    [
      'token_invalid: the user is not enrolled',
      () => json(401, { ...refuse('token_invalid', 'x').toWire(NOW) }),
      'token_invalid',
    ],
    [
      'an endless event',
      () => events(Array.from({ length: 20 }, () => `data: ${'x'.repeat(10_000)}`)),
      'peer_violation',
    ],
    ['an event that is no message', () => events(['data: hello\n\n']), 'peer_violation'],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: '/' } }), 'peer_violation'],
  ] as const)('%s ends it', async (_, stream, expected) => {
    const stop = new AbortController()
    const made = await linkWorld({ streams: [stream] })
    expect(await refusal(take(made.link.questions(stop.signal), 1, stop))).toBe(expected)
  })

  test('an aborted signal ends it, wherever it waits', async () => {
    const waits: (() => Response | Promise<Response>)[] = [
      () => events([], { open: true }),
      () => new Promise<never>(() => undefined),
    ]
    for (const wait of waits) {
      const stop = new AbortController()
      const made = await linkWorld({ streams: [wait] })
      setTimeout(() => stop.abort(), 5)
      expect(await take(made.link.questions(stop.signal), 1, stop)).toEqual([])
    }
  })
})

describe('answers', () => {
  test('approve, narrow and deny; the receipt is checked', async () => {
    const made = await linkWorld()
    const question = await made.asked
    await made.link.approve(question)
    await made.link.approve(question, { scopes: ['goods:read'], expiresAt: NOW + 60 })
    await made.link.deny(question)
    expect(made.answers).toEqual([['goods:read', 'order:create'], ['goods:read'], []])
    const paths = made.calls.map(({ path }) => path)
    expect(paths).toEqual(['/.well-known/ath-app.json', ...Array(3).fill('/ath/confirmations/req_1')])
  })

  test('a lost receipt: the identical answer again', async () => {
    let times = 2
    const made = await linkWorld({
      intercept: (path) => {
        if (path.startsWith('/ath/confirmations/') && times-- > 0) throw new TypeError('connection reset')
        return undefined
      },
    })
    await made.link.approve(await made.asked)
    const sent = made.calls
      .filter(({ path }) => path.startsWith('/ath/conf'))
      .map(({ body }) => JSON.stringify(body))
    expect([sent.length, new Set(sent).size]).toEqual([3, 1])
  })

  test('a receipt of another question', async () => {
    const made = await linkWorld({ receipt: (receipt) => ({ ...receipt, request_id: 'req_2' }) })
    expect(await refusal(made.link.approve(await made.asked))).toBe('malformed_message')
  })

  test('a refusal is an error of its name', async () => {
    const made = await linkWorld({
      intercept: (path) =>
        path.startsWith('/ath/conf')
          ? json(409, { ...refuse('already_decided', 'x').toWire(NOW) })
          : undefined,
    })
    expect(await refusal(made.link.deny(await made.asked))).toBe('already_decided')
  })
})

describe('grants and revocation (ATH-8)', () => {
  test('the listing is asked for with a token', async () => {
    const made = await linkWorld()
    expect(await made.link.grants()).toEqual([])
    expect(made.tokens.length).toBe(1)
  })

  test('a grant, and a credential until its end', async () => {
    const made = await linkWorld()
    await made.link.revoke({ grant: 'grant-1' }, 'changed my mind')
    await made.link.revoke({ credential: made.credentialId })
    expect(made.revoked).toMatchObject([
      {
        target: { kind: 'grant', id: 'grant-1' },
        reason: 'changed my mind',
        audience: 'https://shop.example',
      },
      { target: { kind: 'credential', id: made.credentialId }, expires_at: NOW + 7200 },
    ])
    await expect(made.link.revoke({ credential: 'unknown' })).rejects.toThrow(TypeError)
  })

  test.each([
    ['for another revocation', { request: 'x' }],
    ['not signed by the server', { signature: 'A'.repeat(86) }],
  ])('a receipt %s', async (_, edit) => {
    const made = await linkWorld({ receipt: (receipt) => ({ ...receipt, ...edit }) })
    expect(await refusal(made.link.revoke({ grant: 'grant-1' }))).toBe('signature_invalid')
  })
})

test('an origin that is none, or not https, is refused at once', async () => {
  const { user, server } = await linkWorld()
  for (const origin of ['http://shop.example', 'https://shop.example./']) {
    expect(() => user.linkTo({ origin, serverDid: server.did })).toThrow('malformed_message')
  }
})
