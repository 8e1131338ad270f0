import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import { signLabelled } from '../../src/crypto/signature.ts'
import * as h from '../../src/handshake/index.ts'
import { createRevocation } from '../../src/messages/revocation.ts'
import { type Agent, agentOf, NOW, ORIGIN, party, type Shop, shop } from './shop.ts'

let at: Shop
beforeEach(async () => {
  at = await shop()
})

type Answer = Awaited<ReturnType<Agent['post']>>

/** A handshake of an agent at its fifth step, and the answer to that. */
async function asking(agent?: h.Identity, edit: Partial<h.ScopeRequestOptions> = {}) {
  const hands = await agentOf(at, agent === undefined ? {} : { agent })
  await hands.post(hands.m3)
  const m5 = await hands.m5(edit)
  return { hands, m5, answer: await hands.post(m5) }
}

const questionOf = async ({ body }: Answer): Promise<h.ConfirmationRequest> => {
  const found = (await at.wallet.pending()).find(({ request_id }) => request_id === body.request_id)
  if (found === undefined) throw new Error('not asked')
  return found
}

const answer = async (question: h.ConfirmationRequest, more: Partial<h.ConfirmationResponseOptions> = {}) =>
  at.wallet.post(question, await at.wallet.respond(question, more))

const asked = async () => questionOf((await asking()).answer)

const limited = (seconds: number) => ({
  status: 429,
  body: { error: 'rate_limited' },
  after: String(seconds),
})
const seen = ({ status, body, headers }: Answer) => ({
  status,
  body: { error: body.error },
  after: headers.get('retry-after'),
})

describe('how often a user is asked (ATH-6.3.1)', () => {
  test('one open question for a pair: 429 for the time left, and no step taken', async () => {
    const first = await asking()
    at.clock.now += 100
    const second = await asking()
    expect(seen(second.answer)).toEqual(limited(200))
    await answer(await questionOf(first.answer))
    expect((await second.hands.post(second.m5)).status).toBe(202)
  })

  test('another agent is not kept waiting by it', async () => {
    await asking()
    expect((await asking(await party())).answer.status).toBe(202)
  })

  test('fifty for a user: the next waits for the first of them', async () => {
    at = await shop({ limits: { exempt: () => true, questionsPerUser: 2 } })
    await asking(await party())
    at.clock.now += 60
    await asking(await party())
    expect(seen((await asking(await party())).answer)).toEqual(limited(240))
    at.clock.now += 240
    expect((await asking(await party())).answer.status).toBe(202)
  })

  test('after each denial the pair waits twice as long, 64 minutes at most; an approval begins anew', async () => {
    const { credential } = await agentOf(at)
    // One that was issued later would lift the wait.
    const old = { credential: await credential({ issuedAt: NOW - 60, expiresAt: NOW + 86_400 }) }
    const ask = async () => (await asking(undefined, old)).answer
    for (const minutes of [1, 2, 4, 8, 16, 32, 64, 64]) {
      await answer(await questionOf(await ask()), { approved: false })
      const wait = 60 * minutes
      expect(seen(await ask())).toEqual(limited(wait))
      at.clock.now += wait - 1
      expect(seen(await ask())).toEqual(limited(1))
      at.clock.now += 1
    }
    await answer(await questionOf(await ask()))
    await answer(await questionOf(await ask()), { approved: false })
    expect(seen(await ask())).toEqual(limited(60))
  })

  test('a question that lapses counts as a denial, from when it lapsed', async () => {
    await asking()
    at.clock.now += 300
    expect(seen((await asking()).answer)).toEqual(limited(60))
  })

  test('a credential issued later than the denial is asked about at once', async () => {
    const { hands, answer: pending } = await asking()
    await answer(await questionOf(pending), { approved: false })
    const credential = async (issuedAt: number) => ({ credential: await hands.credential({ issuedAt }) })
    expect((await asking(undefined, await credential(NOW))).answer.status).toBe(429)
    expect((await asking(undefined, await credential(NOW + 1))).answer.status).toBe(202)
  })
})

describe('how much an agent may say (ATH-1.1)', () => {
  const wordy = async (length: number) => asking(await party(), { context: 'x'.repeat(length) })
  const bytesOf = (body: unknown) => new TextEncoder().encode(JSON.stringify(body)).length

  test('many words keep no other question from the user, and no listing is too large', async () => {
    const words: Awaited<ReturnType<typeof wordy>>[] = []
    for (const length of [50_000, 50_001]) {
      words.push(await wordy(length))
      at.clock.now += 1
    }
    const short = await asking()
    const listing = async () => {
      const { body } = await at.call('GET', '/ath/inbox', undefined, { headers: await at.wallet.bearer() })
      expect(bytesOf(body)).toBeLessThanOrEqual(65_536)
      return (body.pending as unknown as h.ConfirmationRequest[]).map(({ request_id }) => request_id)
    }
    const [first, second] = words.map(({ answer: { body } }) => body.request_id)
    expect(await listing()).toEqual([first, short.answer.body.request_id])
    await answer(await questionOf((words[0] as typeof short).answer), { approved: false })
    expect(await listing()).toEqual([second, short.answer.body.request_id])
  })

  test('a question that no listing holds is not asked: 413, and no step taken', async () => {
    // What the service itself says of a scope takes room in m6 that m5 did not need.
    at = await shop({ scopes: { 'goods:read': 'Search. '.repeat(200), 'order:create': 'Place orders' } })
    const hands = await agentOf(at)
    await hands.post(hands.m3)
    const room = 65_536 - bytesOf(await hands.m5({ context: '' }))
    const refused = await hands.post(await hands.m5({ context: 'x'.repeat(room) }))
    expect(refused).toMatchObject({ status: 413, body: { error: 'message_too_large' } })
    expect(await at.wallet.pending()).toEqual([])
    expect((await hands.post(await hands.m5())).status).toBe(202)
  })
})

describe('an answer is believed when its user has signed it over the question (ATH-6.3.2)', () => {
  const refused = async (question: h.ConfirmationRequest, message: JsonObject) => {
    const { status, body } = await at.wallet.post(question, message)
    expect(await at.wallet.pending()).toContainEqual(question)
    return [status, body.error]
  }
  const signed = async (question: h.ConfirmationRequest, edit: JsonObject, label?: string) => {
    const { signature: _, ...response } = { ...(await at.wallet.respond(question)), ...edit }
    const input = { request: await h.hashOfConfirmationRequest(question), response }
    const name = label ?? h.CONFIRMATION_RESPONSE_LABEL
    return { ...response, signature: await signLabelled(at.user.signer, name, input) }
  }

  test('by another, by the agent, under another label, over another question: 401', async () => {
    const question = await asked()
    const other = await questionOf((await asking(await party())).answer)
    for (const user of [await party(), at.agent]) {
      const forged = await at.wallet.respond(question, { user })
      expect(await refused(question, forged)).toEqual([401, 'signature_invalid'])
    }
    const mislabelled = await signed(question, {}, h.CONFIRMATION_REQUEST_LABEL)
    expect(await refused(question, mislabelled)).toEqual([401, 'signature_invalid'])
    expect(await refused(question, await at.wallet.respond(other))).toEqual([401, 'signature_invalid'])
  })

  test.each<[string, JsonObject, number, string]>([
    ['that is late or early', { timestamp: NOW - 301 }, 401, 'timestamp_skew'],
    ['that approves more than was asked', { approved_scopes: ['user:profile'] }, 400, 'scopes_invalid'],
    ['that approves a scope twice', { approved_scopes: ['goods:read', 'goods:read'] }, 400, 'scopes_invalid'],
    ['whose grant would have ended', { expires_at: NOW }, 400, 'malformed_message'],
    ['that says neither yes nor no', { approved: 'yes' }, 400, 'malformed_message'],
    ['that names another question', { request_id: 'req_other' }, 404, 'confirmation_unknown'],
  ])('one %s leaves it open', async (_, edit, status, error) => {
    const question = await asked()
    expect(await refused(question, await signed(question, edit))).toEqual([status, error])
  })

  test('nobody is told of a question that is not there', async () => {
    const question = await asked()
    const { status, body } = await at.wallet.post(
      { ...question, request_id: 'req_none' },
      await at.wallet.respond(question),
    )
    expect([status, body.error]).toEqual([404, 'confirmation_unknown'])
  })

  test('one answer counts: the same is acknowledged again, another is 409 (ATH-6.3.3)', async () => {
    const question = await asked()
    const m7 = await at.wallet.respond(question)
    for (let times = 0; times < 2; times++) expect((await at.wallet.post(question, m7)).status).toBe(200)
    // Signed again it is the same answer: m7 alone is compared without its signature (ATH-1.3).
    const again = await at.wallet.respond(question)
    expect(again.signature).not.toBe(m7.signature)
    expect((await at.wallet.post(question, again)).status).toBe(200)
    for (const other of [{ approved: false }, { approvedScopes: ['goods:read'] }]) {
      expect(await answer(question, other)).toMatchObject({
        status: 409,
        body: { error: 'already_decided' },
      })
    }
    const forged = await at.wallet.respond(question, { user: at.agent })
    expect((await at.wallet.post(question, forged)).status).toBe(401)
  })

  test('at the deadline it is too late, for the user and for the agent (ATH-6.3.3)', async () => {
    const { hands, answer: pending } = await asking()
    const question = await questionOf(pending)
    at.clock.now = question.expires_at
    expect(await answer(question)).toMatchObject({ status: 408, body: { error: 'confirmation_timeout' } })
    expect(await hands.get()).toMatchObject({ status: 408, body: { error: 'confirmation_timeout' } })
    expect(await at.wallet.pending()).toEqual([])
  })

  test('an end that has passed before m8 is made denies (ATH-6.3.3)', async () => {
    const { hands, answer: pending } = await asking()
    await answer(await questionOf(pending), { expiresAt: NOW + 5 })
    at.clock.now += 5
    const { status, body } = await hands.get()
    expect([status, body.scopes_granted]).toEqual([403, []])
    expect(body.scopes_denied).toMatchObject([{ code: 'user' }, { code: 'user' }])
  })
})

describe('a handshake whose credential is revoked while its user is asked (ATH-8)', () => {
  test.each(['before the answer', 'after it'])('%s ends, by that name', async (when) => {
    const { hands, m5, answer: pending } = await asking()
    const question = await questionOf(pending)
    if (when === 'after it') await answer(question)
    const revocation = await createRevocation({
      signer: at.user,
      target: { kind: 'credential', id: question.credential_id },
      audience: ORIGIN,
      reason: 'changed my mind',
      expiresAt: NOW + 7200,
      now: NOW,
    })
    expect((await at.call('POST', '/ath/revocations', revocation)).status).toBe(200)
    expect(await hands.get()).toMatchObject({ status: 401, body: { error: 'credential_revoked' } })
    expect((await hands.post(await hands.m9a(m5))).status).toBe(409)
  })
})
