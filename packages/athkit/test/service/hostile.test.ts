import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/crypto/json.ts'
import { checkErrorObject } from '../../src/messages/error-object.ts'
import { createRevocation } from '../../src/messages/revocation.ts'
import { anyEdit, anyJson, editedText } from '../edits.ts'
import { type Agent, ASK_NOBODY, agentOf, HANDSHAKE, ORIGIN, type Shop, shop } from './shop.ts'

const runs = { numRuns: 60, seed: 61 }

interface Answered {
  readonly status: number
  readonly body: Json
}

async function post(at: Shop, url: string, text: BodyInit): Promise<Answered> {
  const response = await at.raw('POST', url, text, { headers: { 'content-type': 'application/json' } })
  return { status: response.status, body: (await response.json()) as Json }
}

/** A refusal as ATH-9 has it: an error object by itself, in a failed m4, or last in a flight; or an m8 that grants nothing. */
function expectRefusal({ status, body }: Answered): void {
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(500)
  const last = (Array.isArray(body) ? body.at(-1) : body) as JsonObject
  if (last.type === 'scope_result') expect([status, last.scopes_granted]).toEqual([403, []])
  else checkErrorObject(status, last.type === 'identity_result' ? last.error : last)
}

/** A message that is due, in a handshake that is up to it. */
const due: readonly (readonly [name: string, due: (agent: Agent) => Promise<JsonObject>])[] = [
  ['m3', async (agent) => agent.m3],
  [
    'm5',
    async (agent) => {
      await agent.post(agent.m3)
      return agent.m5()
    },
  ],
  [
    'm9a',
    async (agent) => {
      const m5 = await agent.m5()
      await agent.post([agent.m3, m5])
      return agent.m9a(m5)
    },
  ],
]

test.each(due)('%s with any one change: 400 takes no step, worse ends the handshake', async (name, dueIn) => {
  const at = await shop(ASK_NOBODY)
  await fc.assert(
    fc.asyncProperty(anyEdit, async (edit) => {
      const agent = await agentOf(at)
      const message = await dueIn(agent)
      const answer = await post(at, agent.url, editedText(message, edit))
      if (answer.status === 200) return
      expectRefusal(answer)
      // A refused m9a ends nothing (ATH-9).
      const goesOn = answer.status === 400 || name === 'm9a'
      expect((await agent.post(message)).status).toBe(goesOn ? 200 : 409)
    }),
    runs,
  )
  expect(at.events.filter(({ type }) => type === 'failed')).toEqual([])
})

test('m1 with any one change is refused, and begins nothing', async () => {
  const at = await shop()
  const { m1 } = await agentOf(at)
  const begun = () => at.events.filter(({ type }) => type === 'handshake_started').length
  await fc.assert(
    fc.asyncProperty(anyEdit, async (edit) => {
      const before = begun()
      const text = editedText(m1, edit)
      const answer = await post(at, HANDSHAKE, text)
      // A plain nonce is a literal implementation's, and commits to nothing (ATH-6.1.2).
      if (answer.status === 201) {
        expect(JSON.parse(text).nonce).not.toMatch(/^ath1:/)
        return
      }
      expectRefusal(answer)
      expect(begun()).toBe(before)
    }),
    { ...runs, numRuns: 200 },
  )
})

test('m7 with any one change is refused, and the question stays open', async () => {
  const at = await shop()
  const agent = await agentOf(at)
  await agent.post([agent.m3, await agent.m5()])
  const [question] = await at.wallet.pending()
  if (question === undefined) throw new Error('nobody was asked')
  const m7 = await at.wallet.respond(question)
  await fc.assert(
    fc.asyncProperty(anyEdit, async (edit) => {
      const text = editedText(m7, edit)
      if (text === JSON.stringify(m7)) return
      expectRefusal(await post(at, `/ath/confirmations/${question.request_id}`, text))
    }),
    runs,
  )
  expect(await at.wallet.pending()).toEqual([question])
  expect((await at.wallet.post(question, m7)).status).toBe(200)
})

test('a revocation with any one change is refused, and revokes nothing (ATH-8)', async () => {
  const at = await shop(ASK_NOBODY)
  const revocation = await createRevocation({
    signer: at.user,
    target: { kind: 'credential', id: 'A'.repeat(43) },
    audience: ORIGIN,
    reason: 'lost my phone',
    expiresAt: at.clock.now + 60,
    now: at.clock.now,
  })
  await fc.assert(
    fc.asyncProperty(anyEdit, async (edit) => {
      const text = editedText(revocation, edit)
      if (text !== JSON.stringify(revocation)) expectRefusal(await post(at, '/ath/revocations', text))
    }),
    runs,
  )
  expect(at.events.filter(({ type }) => type === 'revoked')).toEqual([])
})

test('a flight of anything, in any order, is answered up to the first that fails (ATH-3.6)', async () => {
  const at = await shop(ASK_NOBODY)
  const one = fc.oneof(fc.constantFrom('m1', 'm3', 'm5', 'm9a'), anyJson)
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 5 }), async (kinds) => {
      const agent = await agentOf(at)
      const m5 = await agent.m5()
      const messages: Record<string, Json> = { m1: agent.m1, m3: agent.m3, m5, m9a: await agent.m9a(m5) }
      const flight = kinds.map((kind) => (typeof kind === 'string' ? (messages[kind] ?? kind) : kind))
      const answer = await post(at, agent.url, JSON.stringify(flight))
      if (answer.status !== 200) expectRefusal(answer)
      const good = ['m3', 'm5', 'm9a'].filter((name) => kinds.includes(name))
      if (answer.status === 200) expect(good.length).toBeGreaterThan(0)
      // Whatever that was: what it left behind goes on with the right messages, or has taken them.
      const rest = await post(at, agent.url, JSON.stringify([agent.m3, m5, messages.m9a]))
      expect(rest.status).toBe(200)
    }),
    runs,
  )
  expect(at.events.filter(({ type }) => type === 'failed')).toEqual([])
})

test('any body at any endpoint is refused by name, never a 5xx', async () => {
  const at = await shop()
  const agent = await agentOf(at)
  const urls = [HANDSHAKE, agent.url, '/ath/confirmations/req_1', '/ath/revocations', `${HANDSHAKE}/unknown`]
  const body = fc.oneof(fc.string(), fc.json(), fc.uint8Array({ maxLength: 200 }))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...urls), body, async (url, text) => {
      expectRefusal(await post(at, url, text as BodyInit))
    }),
    { ...runs, numRuns: 300 },
  )
  expect((await agent.post(agent.m3)).status).toBe(200)
})
