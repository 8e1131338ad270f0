import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { followPolicyFile, readPolicyFile } from '../../src/policy-node/index.ts'
import { atMost, budget } from '../../src/service/index.ts'
import { agentOf, party, type Shop, shop } from '../service/shop.ts'

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'athkit-policy-'))
  file = join(folder, 'policy.json')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (policy: unknown) =>
  writeFileSync(file, typeof policy === 'string' ? policy : JSON.stringify(policy))

/** Whether an agent comes past m3. */
async function isLetIn(at: Shop): Promise<boolean> {
  const agent = await agentOf(at)
  return (await agent.post(agent.m3)).status === 200
}

test('a policy file is strict JSON: one object, no name twice', () => {
  write({ everyone: { allow: false } })
  expect(readPolicyFile(file)).toEqual({ everyone: { allow: false } })
  for (const wrong of ['', '[]', '{"everyone": {"allow": false}, "everyone": {}}', '{"everyone": {}} ,']) {
    write(wrong)
    expect(() => readPolicyFile(file), wrong).toThrow(TypeError)
  }
  expect(() => readPolicyFile(join(folder, 'none.json'))).toThrow('ENOENT')
})

describe('a file that is followed', () => {
  test('is in force when it has changed, also by another that takes its place; a wrong one is not', async () => {
    write({})
    const at = await shop({ restrictions: {}, policy: readPolicyFile(file) })
    const errors: string[] = []
    const stop = followPolicyFile(file, at.service, {
      everyMs: 20,
      onError: (error) => void errors.push(String(error)),
    })
    expect(await isLetIn(at)).toBe(true)
    write({ everyone: { allow: false } })
    await expect.poll(() => isLetIn(at), { timeout: 10_000 }).toBe(false)
    writeFileSync(`${file}.new`, '{"everyone": {"alow": true}}')
    renameSync(`${file}.new`, file)
    await expect
      .poll(() => errors, { timeout: 10_000 })
      .toMatchObject([expect.stringContaining('everyone.alow')])
    expect(await isLetIn(at)).toBe(false)
    writeFileSync(`${file}.new`, '{"everyone": { }}')
    renameSync(`${file}.new`, file)
    await expect.poll(() => isLetIn(at), { timeout: 10_000 }).toBe(true)
    rmSync(file)
    await expect.poll(() => errors, { timeout: 10_000 }).toHaveLength(2)
    expect(await isLetIn(at)).toBe(true)
    stop()
  })

  test('tells the operator of a mistake where nobody else is told', async () => {
    write({})
    const at = await shop({ restrictions: {} })
    const stop = followPolicyFile(file, at.service, { everyMs: 20 })
    write('{"everyone"')
    const failed = () => at.events.filter(({ type }) => type === 'failed')
    await expect.poll(failed, { timeout: 10_000 }).toMatchObject([{ where: file }])
    stop()
  })
})

test('the example of docs/policy.md holds', async () => {
  const page = readFileSync(new URL('../../../../docs/policy.md', import.meta.url), 'utf8')
  const [, example = ''] = /```json\n([^`]+)```/.exec(page) ?? []
  write(example)
  const assistant = await party()
  write(example.replace('did:ath:ai_shopping_assistant_001', assistant.did))
  const at = await shop({
    restrictions: {},
    enforcers: new Map([['order_amount_limit', atMost] as const, ['order_budget', budget()] as const]),
    policy: readPolicyFile(file),
  })
  expect(await isLetIn(at), 'nobody has approved it').toBe(false)
  await at.service.agents.approve(assistant.did)
  const agent = await agentOf(at, { agent: assistant })
  expect((await agent.post(agent.m3)).body.metadata).toMatchObject({ require_user_confirmation: false })
  const scopes = ['goods:read', 'order:create', 'user:profile']
  const asked = await agent.post(await agent.m5({ credential: await agent.credential({ scopes }), scopes }))
  expect(asked.status).toBe(202)
  const [question] = await at.wallet.pending()
  expect(question).toMatchObject({
    requested_scopes: ['goods:read', 'order:create'],
    ttl: 600,
    restrictions: { rate_limit: '100/minute', order_amount_limit: 5000, order_budget: '20000/month' },
  })
  const stranger = await agentOf(at)
  await at.service.agents.approve(stranger.client.did)
  await stranger.post(stranger.m3)
  const alone = await stranger.post(await stranger.m5())
  expect(alone.body).toMatchObject({
    scopes_granted: ['goods:read'],
    scopes_denied: [{ scope: 'order:create', code: 'policy' }],
    ttl_granted: 3600,
    restrictions: { rate_limit: '100/minute' },
  })
})
