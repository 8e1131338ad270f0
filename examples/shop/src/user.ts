/** The user: their key, their wallet. Agents ask it for authorizations; it watches the shop's inbox and answers. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { toNodeListener } from 'athkit/adapters/node'
import { createUser, visible } from 'athkit/user'
import { narrator, report } from './narrator.ts'
import { partyOf } from './party.ts'
import { askPerson } from './person.ts'
import { short } from './shop-story.ts'

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const { values } = parseArgs({
  options: {
    identity: text,
    did: text,
    registry: text,
    origin: text,
    server: text,
    cert: text,
    key: text,
    deny: flag,
    only: text,
    person: flag,
  },
})
const say = narrator('user')
const { origin = '', server: serverDid = '' } = values
const { identity, resolver } = await partyOf(values)
const user = createUser({ identity })

/** `POST /authorize` on the user's own device: what an agent asks for, and the credential that comes of it. */
async function authorize(request: Request): Promise<Response> {
  const asked = (await request.json()) as { client_did: string; scopes: string[]; audience: string[] }
  const credential = await user.authorize({
    clientDid: asked.client_did,
    scopes: asked.scopes,
    audience: asked.audience,
    expiresInSeconds: 7200,
    restrictions: { order_amount_limit: 5000 },
  })
  say(
    `signs a credential: ${short(asked.client_did)} may ${asked.scopes.join(', ')} here, for 2 hours, up to 5000 an order`,
    '0',
  )
  return Response.json({ credential })
}

const device = createServer(
  { cert: readFileSync(values.cert ?? ''), key: readFileSync(values.key ?? ''), minVersion: 'TLSv1.3' },
  toNodeListener((request) =>
    new URL(request.url).pathname === '/authorize' && request.method === 'POST'
      ? authorize(request)
      : undefined,
  ),
)
device.listen(0, '127.0.0.1', () =>
  report({ authorize: `https://127.0.0.1:${(device.address() as AddressInfo).port}/authorize` }),
)

const stop = new AbortController()
process.once('SIGTERM', () => {
  stop.abort()
  device.close()
  device.closeAllConnections()
  process.exit(0)
})

const link = user.linkTo({ origin, serverDid, resolver })
for await (const question of link.questions(stop.signal)) {
  say(
    `verified the shop's question (its pinned key, this user, nothing beyond the credential): ${question.requested_scopes.join(', ')}; the agent says “${visible(question.context ?? '')}”`,
  )
  const all = question.requested_scopes
  const automatic = values.deny
    ? []
    : values.only === undefined
      ? all
      : all.filter((scope) => values.only?.split(',').includes(scope))
  const approved = values.person ? await askPerson(question) : automatic
  const who = values.person ? '' : ' (automatically: nobody is at the terminal)'
  if (approved.length === 0) await link.deny(question)
  else await link.approve(question, { scopes: approved })
  say(
    `${approved.length === 0 ? 'denies' : `approves ${approved.join(', ')}`}${who}, signed over the question and the answer`,
    '7',
  )
}
