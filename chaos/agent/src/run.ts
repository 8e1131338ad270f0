/** One agent that shops through the proxy, and what has to hold whatever became of it. */
import { type AgentSession, createAgent } from 'athkit/agent'
import { AthError, HandshakeError } from 'athkit/errors'
import { createUser, type WalletLink } from 'athkit/user'
import type { Plan } from './faults.ts'
import { memoryVault } from './memory-vault.ts'
import { type Party, party } from './party.ts'
import { type ChaosProxy, startProxy } from './proxy.ts'
import { EVENTS, SCOPES, type Shop, startShop } from './shop.ts'

export interface Run {
  readonly plan: Plan
  /** The user is asked, and approves. */
  readonly asks: boolean
  /** The agent ends in the middle, and another goes on with what is in its vault. */
  readonly restarts: boolean
}

export interface Outcome {
  /** `session`, or the name of the one error that it ended with. */
  readonly ended: string
  readonly faults: readonly string[]
  /** What must never be; empty when all is well. */
  readonly violations: readonly string[]
  readonly orders: number
}

/** Everything that waits is over by then, and has said why. */
const LONGEST_RUN_MS = 30_000
/** Waits between attempts are made this much shorter; what the server waits for is not. */
const HURRY = 50
const ORDERS = 6

export async function runOnce({ plan, asks, restarts }: Run): Promise<Outcome> {
  const proxy = await startProxy(plan)
  const origin = `http://127.0.0.1:${proxy.port}`
  const [agentParty, userParty] = await Promise.all([party(), party()])
  const shop = await startShop({ origin, userDid: userParty.did, asks })
  proxy.connectTo(shop.port)
  const ending = new AbortController()
  const acknowledged: string[] = []
  const violations: string[] = []
  try {
    const scene = { origin, shop, agentParty, userParty, asks, restarts, ending: ending.signal }
    const shopping = shopFor(scene, acknowledged)
    const ended = await Promise.race([shopping, hung()]).catch(nameOf)
    if (ended.startsWith('!')) violations.push(ended.slice(1))
    violations.push(...broken(shop, proxy, acknowledged))
    return { ended, faults: proxy.told, violations, orders: shop.orders.length }
  } finally {
    ending.abort()
    proxy.stop()
    shop.stop()
  }
}

interface Scene {
  readonly origin: string
  readonly shop: Shop
  readonly agentParty: Party
  readonly userParty: Party
  readonly asks: boolean
  readonly restarts: boolean
  readonly ending: AbortSignal
}

/** @returns `session` when everything went well in the end */
async function shopFor(scene: Scene, acknowledged: string[]): Promise<string> {
  const { origin, shop, agentParty, userParty, asks, restarts, ending } = scene
  const user = createUser({ identity: userParty })
  const link = user.linkTo({
    origin,
    serverDid: shop.identity.did,
    allowPlaintextOnLoopback: true,
    // The user's own way to the shop is not what is harmed here.
    fetch: (url, init) => fetch(url.replace(origin, `http://127.0.0.1:${shop.port}`), init),
  })
  if (asks) void approveAll(link, ending)
  const vault = restarts ? { vault: memoryVault(agentParty) } : {}
  const newAgent = () =>
    createAgent({
      identity: agentParty,
      ...vault,
      allowPlaintextOnLoopback: true,
      answerWithin: 1000,
      headWithin: 1000,
      pollSeconds: 1,
      sleep: (milliseconds, signal) => pause(milliseconds / HURRY, signal),
    })
  let session = await newAgent().connect(origin, {
    authorization: await user.authorize({
      clientDid: agentParty.did,
      scopes: SCOPES,
      expiresInSeconds: 600,
      audience: shop.identity.did,
    }),
    scopes: SCOPES,
    keep: restarts,
    signal: ending,
  })
  const [first, second] = [0, 1].map((half) =>
    Array.from({ length: ORDERS / 2 }, (_, i) => `order-${half * 3 + i}`),
  )
  await all([
    ...(first ?? []).map((ref) => order(session, ref, acknowledged)),
    search(session),
    stream(session),
  ])
  await all([session.rotate(), session.renew(), search(session)])
  if (restarts) session = (await newAgent().resume(origin)) ?? session
  await all([...(second ?? []).map((ref) => order(session, ref, acknowledged)), session.rotate()])
  await session.close()
  return 'session'
}

async function approveAll(link: WalletLink, signal: AbortSignal): Promise<void> {
  try {
    for await (const question of link.questions(signal)) await link.approve(question)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function order(session: AgentSession, ref: string, acknowledged: string[]): Promise<void> {
  const response = await session.request('POST /api/order', { json: { ref } })
  const answer = (await response.json()) as { ref?: string }
  if (response.status !== 201 || answer.ref !== ref) throw new Error(`the answer to ${ref} is another's`)
  acknowledged.push(ref)
}

async function search(session: AgentSession): Promise<void> {
  const keyword = String(Math.random())
  const answer = (await (await session.fetch(`/api/goods?keyword=${keyword}`)).json()) as { keyword?: string }
  if (answer.keyword !== keyword) throw new Error('the answer to a search is another’s')
}

async function stream(session: AgentSession): Promise<void> {
  const text = await (await session.fetch('/api/events')).text()
  const whole = Array.from({ length: EVENTS }, (_, i) => `data: ${i}\n\n`).join('')
  if (text !== whole) throw new Error('a stream that was cut short was taken for a whole one')
}

/** Waits for all, and fails with the first that failed: none is left running behind our back. */
async function all(work: readonly Promise<unknown>[]): Promise<void> {
  const settled = await Promise.allSettled(work)
  const failed = settled.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/** An error of this library has a name; anything else, and none, must not be. */
function nameOf(error: unknown): string {
  if (error instanceof HandshakeError) return withRule(error.error, error)
  if (error instanceof AthError) return withRule(error.trouble, error)
  return `!no clear error: ${error instanceof Error ? error.stack : String(error)}`
}

const withRule = (name: string, { rule }: { readonly rule?: string | undefined }): string =>
  rule === undefined ? name : `${name} (${rule})`

function hung(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`still not over after ${LONGEST_RUN_MS} ms`)), LONGEST_RUN_MS).unref()
  })
}

function broken(shop: Shop, proxy: ChaosProxy, acknowledged: readonly string[]): string[] {
  const violations: string[] = []
  const times = (ref: string): number => shop.orders.filter((placed) => placed === ref).length
  for (const ref of new Set(shop.orders))
    if (times(ref) > 1) violations.push(`${ref} was placed ${times(ref)} times`)
  for (const ref of acknowledged)
    if (times(ref) !== 1) violations.push(`${ref} was acknowledged and placed ${times(ref)} times`)
  if (proxy.seen.some((bytes) => /order-\d|Bearer|keyword=/.test(bytes.toString('latin1'))))
    violations.push('something of a request was seen on the way')
  return violations
}

const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const timer = setTimeout(resolve, milliseconds)
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        reject(signal.reason)
      },
      { once: true },
    )
  })
