import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { shopOnSocket } from './on-socket.ts'
import { nobodyIsAsked } from './shop.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

type Said = { did?: string; waiting?: string; connected?: string[]; order?: number; done?: boolean }

/** An agent in a process of its own, and what it says. */
function run(options: object): {
  process: ChildProcess
  said: Said[]
  until: (holds: () => boolean) => Promise<void>
} {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'assistant.mjs'), JSON.stringify(options)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  stops.push(() => void child.kill('SIGKILL'))
  const said: Said[] = []
  let rest = ''
  let ended = false
  let wake: () => void = () => undefined
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    said.push(...lines.map((line) => JSON.parse(line) as Said))
    wake()
  })
  child.on('close', () => {
    ended = true
    wake()
  })
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      if (ended) throw new Error('the agent ended before')
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { process: child, said, until }
}

async function scene(options: Parameters<typeof shopOnSocket>[0] = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-agent-'))
  stops.push(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'agent.vault')
  const shop = await shopOnSocket(options)
  stops.push(shop.stop)
  const first = run({ file })
  await first.until(() => first.said.length > 0)
  const authorization = await shop.authorize({ clientDid: first.said[0]?.did ?? '' })
  const common = { file, origin: shop.origin }
  return { shop, connect: { ...common, authorization, serverDid: shop.server.did }, resume: common }
}

test('killed while the user decides, the agent goes on with the same question', async () => {
  const { shop, connect } = await scene()
  const codes: (string | undefined)[] = []
  for (let i = 0; i < 2; i++) {
    const killed = run(connect)
    await killed.until(() => killed.said.length > 0)
    codes.push(killed.said[0]?.waiting)
    killed.process.kill('SIGKILL')
  }
  const [question, ...more] = await shop.link.pending()
  expect(more).toEqual([])
  expect(question?.binding_code).toBe(codes[0])
  if (question !== undefined) await shop.link.approve(question)
  const last = run({ ...connect, requests: 1 })
  await last.until(() => last.said.some(({ done }) => done !== undefined))
  expect(last.said.map((line) => Object.keys(line)[0])).toEqual(['waiting', 'connected', 'order', 'done'])
  expect([...codes, last.said[0]?.waiting]).toEqual(Array(3).fill(question?.binding_code))
  expect(shop.sent.filter((line) => line === 'POST /ath/handshake').length).toBe(1)
  expect(shop.orders.length).toBe(1)
}, 30_000)

test('several processes go on with one session, one of them is killed, and no number is used twice', async () => {
  const { shop, connect, resume } = await scene({ service: { ...nobodyIsAsked, restrictions: {} } })
  const first = run(connect)
  await first.until(() => first.said.some(({ done }) => done !== undefined))
  const others = [1, 2, 3].map(() => run({ ...resume, requests: 60 }))
  await others[2]?.until(() => others[2]?.said.some(({ order }) => order !== undefined) === true)
  others[2]?.process.kill('SIGKILL')
  const whole = others.slice(0, 2)
  await Promise.all(whole.map((one) => one.until(() => one.said.some(({ done }) => done !== undefined))))
  expect(whole.map(({ said }) => said.at(-1))).toEqual([{ done: true }, { done: true }])
  const last = run({ ...resume, requests: 1 })
  await last.until(() => last.said.some(({ done }) => done !== undefined))
  expect(last.said.at(-1)).toEqual({ done: true })
  expect(shop.places.length).toBeGreaterThan(121)
  expect(new Set(shop.places).size).toBe(shop.places.length)
  const told = [...others, last].flatMap(({ said }) => said.flatMap(({ order }) => order ?? []))
  expect(new Set(told).size).toBe(told.length)
  expect(shop.sent.filter((line) => line === 'POST /ath/handshake').length).toBe(1)
}, 30_000)
