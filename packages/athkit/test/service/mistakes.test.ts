import { describe, expect, test } from 'vitest'
import { createService, type ServiceOptions } from '../../src/service/index.ts'
import { memory } from '../../src/store/memory.ts'
import { ORIGIN, party } from './shop.ts'

const good = async (): Promise<ServiceOptions> => ({
  identity: await party(),
  origin: ORIGIN,
  name: 'Shop',
  scopes: { 'goods:read': 'Search products' },
  users: { find: () => undefined },
  store: memory(),
})

const said = (options: unknown): string => {
  try {
    createService(options as ServiceOptions)
  } catch (error) {
    if (error instanceof TypeError) return error.message
    throw error
  }
  return ''
}

describe('a configuration with mistakes', () => {
  test('that has none starts', async () => {
    expect(said(await good())).toBe('')
  })

  test('is told every one of them, each in a sentence that says what to do', async () => {
    const message = said({
      ...(await good()),
      nmae: 'Shop',
      name: '',
      origins: ['http://shop.example', 'https://shop.example/'],
      scopes: { 'goods:read': '', Goods: 'no name of a scope' },
      restrictions: { order_limit: 5, ip_whitelist: ['nowhere'] },
      timeouts: { confirm: 601, handshke: 3 },
      limits: { waiting: 0 },
      tokenMaxTtlSeconds: 1.5,
      audit: { process: 'a b', headEverySeconds: 0 },
      logger: { info: () => undefined },
      telemetry: { tracer: {} },
    })
    const [first, ...mistakes] = message.split('\n- ')
    expect(first).toBe(`createService: ${mistakes.length} mistakes`)
    for (const each of [
      /no option "nmae"/,
      /^name is missing/,
      /origin "http:\/\/shop.example": .*not https/,
      /origin "https:\/\/shop.example\/": .*not an origin/,
      /goods:read has no description/,
      /scopes: at most 64 names/,
      /nobody enforces order_limit/,
      /ip_whitelist has a value/,
      /timeouts.confirm is at most 600/,
      /timeouts: there is no "handshke"/,
      /limits.waiting/,
      /tokenMaxTtlSeconds/,
      /audit.process/,
      /audit.headEverySeconds/,
      /logger.debug is missing/,
      /telemetry.tracer is no tracer/,
    ]) {
      expect(
        mistakes.filter((mistake) => each.test(mistake)),
        String(each),
      ).toHaveLength(1)
    }
    expect(mistakes).toHaveLength(16)
  })

  test('that is nothing at all is told what is missing', () => {
    expect(said({})).toMatch(/identity is missing[\s\S]*origin is missing[\s\S]*scopes is empty/)
  })

  test('with one alone is that sentence', async () => {
    expect(said({ ...(await good()), origin: undefined })).toMatch(/^createService: origin is missing; give/)
  })
})
