/** The shopping assistant: obtains the user's authorization, shakes hands with the shop, buys within its limits. */
import { parseArgs } from 'node:util'
import { createAgent, ScopesDenied } from 'athkit/agent'
import { PermissionError } from 'athkit/errors'
import { assistantStory } from './assistant-story.ts'
import { narrator, report } from './narrator.ts'
import { partyOf } from './party.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: { origin: text, server: text, authorize: text, did: text, registry: text },
})
const { origin = '', server = '', authorize = '' } = values
const say = narrator('agent')
const { identity, resolver } = await partyOf(values)
const scopes = ['goods:read', 'order:create']

const asked = { client_did: identity.did, scopes, audience: [server, origin] }
const answer = await fetch(authorize, { method: 'POST', body: JSON.stringify(asked) })
const { credential: authorization } = (await answer.json()) as { credential: string }

try {
  // #region connect
  const agent = createAgent({ identity, resolver })
  const session = await agent.connect(origin, {
    authorization,
    scopes,
    ttlSeconds: 7200,
    context: 'Find a phone and order it',
    onStep: assistantStory(say),
  })
  // #endregion connect
  const found = await search('phone')
  const placed = await order(1)
  const beyond = await order(2)
  await session.close()
  say('closes the session on both sides')
  report({ outcome: { granted: session.grant.scopes, found, placed, beyond } })
  async function search(keyword: string): Promise<number | string> {
    try {
      const response = await session.fetch(`/api/goods?keyword=${keyword}`)
      const { goods } = (await response.json()) as { goods: { name: string; price: number }[] }
      say(
        `finds, sealed under the session's keys: ${goods.map(({ name, price }) => `${name} (${price})`).join(', ')}`,
      )
      return goods.length
    } catch (error) {
      if (!(error instanceof PermissionError)) throw error
      say(`searches for a ${keyword}: refused by the shop, ${error.error}`)
      return error.error
    }
  }
  async function order(quantity: number): Promise<string> {
    try {
      const response = await session.request('POST /api/order', { json: { goods_id: '123', quantity } })
      const { amount } = (await response.json()) as { amount: number }
      say(`orders ${quantity} × Phone Mini: ${response.status}, for ${amount}`)
      return String(response.status)
    } catch (error) {
      if (!(error instanceof PermissionError)) throw error
      say(`orders ${quantity} × Phone Mini: refused by the shop, ${error.error}`)
      return error.error
    }
  }
} catch (error) {
  if (!(error instanceof ScopesDenied)) throw error
  say(`was granted nothing: ${error.denied.map(({ scope, code }) => `${scope} (${code})`).join(', ')}`)
  report({ outcome: { granted: [] } })
}
