import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/crypto/json.ts'
import {
  atLeastAsStrict,
  BUILT_IN,
  isAddressAllowed,
  isTimeAllowed,
  joinRestrictions,
  parseRateLimit,
} from '../../src/token/restrictions.ts'

const enforced = [...BUILT_IN, 'order_amount_limit', 'note', 'list']
const join = (server: JsonObject, user: JsonObject) => joinRestrictions(server, user, enforced)

describe('joining two restrictions to the stricter (ATH-6.4.3)', () => {
  test.each<[JsonObject, JsonObject, JsonObject | 'denied']>([
    [{}, {}, {}],
    [{ order_amount_limit: 5000 }, {}, { order_amount_limit: 5000 }],
    [{ order_amount_limit: 5000 }, { order_amount_limit: 300 }, { order_amount_limit: 300 }],
    [{ order_amount_limit: 5000 }, { order_amount_limit: null }, { order_amount_limit: 5000 }],
    [{ order_amount_limit: 5000 }, { order_amount_limit: '300' }, 'denied'],
    [{ list: [1] }, { list: [1] }, { list: [1] }],
    [{ list: [1] }, { list: [2] }, 'denied'],
    [{ note: 'b' }, { note: 'a, b' }, { note: 'a, b' }],
    [{ unknown: 1 }, {}, 'denied'],
    [{}, { unknown: 1 }, 'denied'],
    [{ rate_limit: '100/minute' }, { rate_limit: '50/minute' }, { rate_limit: '50/minute' }],
    [{ rate_limit: '100/minute' }, { rate_limit: '5/second' }, { rate_limit: '5/second, 100/minute' }],
    [{ rate_limit: '1/fortnight' }, {}, 'denied'],
    [{ rate_limit: 'nonsense' }, { rate_limit: '5/second' }, 'denied'],
    [{ ip_whitelist: ['10.0.0.0/8'] }, { ip_whitelist: ['10.1.0.0/16'] }, { ip_whitelist: ['10.1.0.0/16'] }],
    [{ ip_whitelist: ['10.0.0.0/8'] }, { ip_whitelist: ['10.0.0.0/16'] }, { ip_whitelist: ['10.0.0.0/16'] }],
    [{ ip_whitelist: ['10.0.0.0/8'] }, { ip_whitelist: ['192.168.0.0/16'] }, 'denied'],
    [{ ip_whitelist: ['10.0.0.1'] }, {}, 'denied'],
    [{ ip_whitelist: [] }, {}, 'denied'],
    [{ access_time: '9:00-18:00' }, { access_time: '10:00-12:00' }, { access_time: '10:00-12:00' }],
    [
      { access_time: '9:00-18:00' },
      { access_time: '17:00-20:00' },
      { access_time: '9:00-18:00, 17:00-20:00' },
    ],
    [{ access_time: '9-18' }, {}, 'denied'],
    [{ access_time: '9:00-9:00' }, {}, 'denied'],
    [
      { access_time: '9:00-18:00', access_time_zone: 'Asia/Shanghai' },
      { access_time: '9:00-18:00' },
      'denied',
    ],
    [
      { access_time: '9:00-18:00', access_time_zone: 'Asia/Shanghai' },
      {},
      { access_time: '9:00-18:00', access_time_zone: 'Asia/Shanghai' },
    ],
    [{ access_time: '9:00-18:00', access_time_zone: 'Mars/Olympus' }, {}, 'denied'],
  ])('%j and %j: %j', (server, user, joined) => {
    expect(join(server, user)).toEqual(joined)
    expect(join(user, server)).toEqual(joined)
  })

  const restriction = fc.record(
    {
      order_amount_limit: fc.nat(),
      rate_limit: fc.constantFrom('1/second', '60/minute', '5/second, 100/hour', '10/day'),
      ip_whitelist: fc.constantFrom(['10.0.0.0/8'], ['10.1.0.0/16', '::1/128'], ['0.0.0.0/0'], ['fc00::/7']),
      access_time: fc.constantFrom('9:00-18:00', '22:00-6:00', '0:00-24:00', '10:00-12:00'),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<JsonObject>

  test('it has no order, repeats nothing, and is at least as strict as either', () => {
    fc.assert(
      fc.property(restriction, restriction, (a, b) => {
        const joined = join(a, b)
        expect(join(b, a)).toEqual(joined)
        if (joined === 'denied') return
        expect(join(joined, a)).toEqual(joined)
        expect(atLeastAsStrict(joined, a) && atLeastAsStrict(joined, b)).toBe(true)
      }),
      { numRuns: 300, seed: 30 },
    )
  })

  test('lists that would take long to compare are not granted; one by itself is', () => {
    const networks = (count: number) =>
      Array.from({ length: count }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`)
    const clock = (minute: number) => `${Math.floor(minute / 60)}:${String(minute % 60).padStart(2, '0')}`
    const windows = (count: number) =>
      Array.from({ length: count }, (_, index) => `9:00-${clock(600 + index)}`).join(', ')
    expect(join({ ip_whitelist: networks(1500) }, {})).toEqual({ ip_whitelist: networks(1500).sort() })
    expect(join({ ip_whitelist: networks(200) }, { ip_whitelist: networks(200) })).not.toBe('denied')
    expect(join({ ip_whitelist: networks(1500) }, { ip_whitelist: networks(200) })).toBe('denied')
    expect(join({ access_time: windows(200) }, {})).toEqual({ access_time: '9:00-10:00' })
    expect(join({ access_time: windows(300) }, {})).toBe('denied')
  })

  test('looser is never as strict (ATH-7.10)', () => {
    expect(atLeastAsStrict({ order_amount_limit: 6000 }, { order_amount_limit: 5000 })).toBe(false)
    expect(atLeastAsStrict({}, { order_amount_limit: 5000 })).toBe(false)
    expect(atLeastAsStrict({ rate_limit: '200/minute' }, { rate_limit: '100/minute' })).toBe(false)
    expect(atLeastAsStrict({ ip_whitelist: ['0.0.0.0/0'] }, { ip_whitelist: ['10.0.0.0/8'] })).toBe(false)
    expect(atLeastAsStrict({ access_time: '0:00-24:00' }, { access_time: '9:00-18:00' })).toBe(false)
  })
})

describe('what is enforced', () => {
  test('rates', () => {
    expect(parseRateLimit('5/second, 100/day')).toEqual([
      { limit: 5, windowSeconds: 1 },
      { limit: 100, windowSeconds: 86_400 },
    ])
    for (const wrong of [
      '0/second',
      '-1/day',
      '05/second',
      '5 /second',
      '5/second,6/day',
      '5/week',
      5,
      null,
      '',
    ]) {
      expect(parseRateLimit(wrong), String(wrong)).toBeUndefined()
    }
  })

  test.each<[unknown, string, boolean]>([
    [undefined, '203.0.113.9', true],
    [['10.0.0.0/8'], '10.255.0.1', true],
    [['10.0.0.0/8'], '11.0.0.1', false],
    [['10.0.0.0/8'], '::ffff:10.0.0.1', true],
    [['2001:db8::/32'], '2001:db8:1::1', true],
    [['2001:db8::/32'], '2001:db9::1', false],
    [['::/0'], '10.0.0.1', false],
    [['10.0.0.0/8'], 'unknown', false],
    [[], '10.0.0.1', false],
    [['10.0.0.0/33'], '10.0.0.1', false],
    ['10.0.0.0/8', '10.0.0.1', false],
  ])('addresses: %j lets %s in: %s', (list, address, allowed) => {
    expect(isAddressAllowed(list === undefined ? {} : { ip_whitelist: list as string[] }, address)).toBe(
      allowed,
    )
  })

  const at = (time: string) => Date.parse(`2024-06-01T${time}Z`) / 1000
  test.each<[JsonObject, string, boolean]>([
    [{ access_time: '9:00-18:00' }, '08:59:59', false],
    [{ access_time: '9:00-18:00' }, '09:00:00', true],
    [{ access_time: '9:00-18:00' }, '17:59:59', true],
    [{ access_time: '9:00-18:00' }, '18:00:00', false],
    [{ access_time: '22:00-6:00' }, '23:00:00', true],
    [{ access_time: '22:00-6:00' }, '05:59:00', true],
    [{ access_time: '22:00-6:00' }, '06:00:00', false],
    [{ access_time: '0:00-24:00' }, '23:59:59', true],
    [{ access_time: '9:00-18:00, 12:00-13:00' }, '10:00:00', false],
    [{ access_time: '9:00-18:00', access_time_zone: 'Asia/Shanghai' }, '01:00:00', true],
    [{ access_time: '9:00-18:00', access_time_zone: 'Asia/Shanghai' }, '12:00:00', false],
    [{ access_time: 'always' }, '12:00:00', false],
    [{ access_time: '0:00-24:00', access_time_zone: 'Nowhere' }, '12:00:00', false],
  ])('times: %j at %s UTC: %s', (restrictions, time, allowed) => {
    expect(isTimeAllowed(restrictions, at(time))).toBe(allowed)
  })

  const zoned = (access_time: string, access_time_zone: string) => ({ access_time, access_time_zone })
  test.each<[JsonObject, string, boolean, string]>([
    [zoned('2:00-3:00', 'Europe/Berlin'), '2024-03-31T00:59:00Z', false, '1:59, before clocks go forward'],
    [zoned('2:00-3:00', 'Europe/Berlin'), '2024-03-31T01:00:00Z', false, '3:00: there is no 2:00 that day'],
    [zoned('2:00-3:00', 'Europe/Berlin'), '2024-10-27T00:30:00Z', true, '2:30 summer time'],
    [zoned('2:00-3:00', 'Europe/Berlin'), '2024-10-27T01:30:00Z', true, '2:30 again'],
    [zoned('2:00-3:00', 'Europe/Berlin'), '2024-10-27T02:00:00Z', false, '3:00'],
    [zoned('9:00-18:00', 'America/New_York'), '2024-03-08T13:59:59Z', false, '8:59:59, winter'],
    [zoned('9:00-18:00', 'America/New_York'), '2024-03-11T13:00:00Z', true, '9:00, summer'],
    [zoned('0:00-24:00', 'Asia/Kathmandu'), '2024-06-01T18:15:00Z', true, 'midnight of a quarter-hour zone'],
    [zoned('0:00-0:01', 'Asia/Kathmandu'), '2024-06-01T18:15:59Z', true, 'its first minute'],
    [zoned('0:00-0:01', 'Asia/Kathmandu'), '2024-06-01T18:14:59Z', false, 'the last of the day before'],
    [zoned('23:59-0:01', 'UTC'), '2024-06-01T23:59:00Z', true, 'across midnight'],
    [zoned('23:59-0:01', 'UTC'), '2024-06-02T00:01:00Z', false, 'its end'],
  ])('times: %j at %s: %s (%s)', (restrictions, time, allowed) => {
    expect(isTimeAllowed(restrictions, Date.parse(time) / 1000)).toBe(allowed)
  })
})
