import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { endOf, PERIODS, periodsAt } from '../../../src/service/budget/periods.ts'

const at = (time: string) => Date.parse(time) / 1000

describe('the periods of a budget', () => {
  test.each([
    [
      'UTC',
      '2024-06-30T23:59:59Z',
      { hour: '2024-06-30T23', day: '2024-06-30', week: '2024-06-24', month: '2024-06' },
    ],
    [
      'Asia/Shanghai',
      '2024-06-30T16:00:00Z',
      { hour: '2024-06-30T16', day: '2024-07-01', week: '2024-07-01', month: '2024-07' },
    ],
    [
      'America/New_York',
      '2024-01-01T04:59:59Z',
      { hour: '2024-01-01T04', day: '2023-12-31', week: '2023-12-25', month: '2023-12' },
    ],
    [
      'Asia/Kathmandu',
      '2024-02-28T18:15:00Z',
      { hour: '2024-02-28T18', day: '2024-02-29', week: '2024-02-26', month: '2024-02' },
    ],
  ])('in %s at %s', (zone, time, keys) => {
    expect(periodsAt(zone, at(time))).toEqual(keys)
  })

  test.each([
    ['day', 'Europe/Berlin', '2024-03-31T00:30:00+01:00', '2024-04-01T00:00:00+02:00', 'a day of 23 hours'],
    ['day', 'Europe/Berlin', '2024-10-27T00:30:00+02:00', '2024-10-28T00:00:00+01:00', 'a day of 25 hours'],
    [
      'week',
      'Europe/Berlin',
      '2024-03-27T12:00:00+01:00',
      '2024-04-01T00:00:00+02:00',
      'a week that loses an hour',
    ],
    ['week', 'UTC', '2024-06-30T23:59:59Z', '2024-07-01T00:00:00Z', 'Sunday’s last second'],
    [
      'month',
      'America/New_York',
      '2024-03-01T00:00:00-05:00',
      '2024-04-01T00:00:00-04:00',
      'a month with a change',
    ],
    ['month', 'UTC', '2024-12-31T23:59:59Z', '2025-01-01T00:00:00Z', 'the last of the year'],
    ['hour', 'Asia/Kathmandu', '2024-06-01T10:59:59Z', '2024-06-01T11:00:00Z', 'hours are UTC’s'],
  ] as const)('a %s in %s from %s ends at %s: %s', (period, zone, from, end) => {
    expect(endOf(period, zone, at(from))).toBe(at(end))
  })

  test('never go back, and end where the next begins', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Asia/Kathmandu',
      'Pacific/Apia',
      'Australia/Lord_Howe',
    ]
    const instant = fc.integer({ min: at('2020-01-01T00:00:00Z'), max: at('2035-01-01T00:00:00Z') })
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        instant,
        fc.integer({ min: 1, max: 40 * 86_400 }),
        (zone, now, later) => {
          const [before, after] = [periodsAt(zone, now), periodsAt(zone, now + later)]
          for (const period of PERIODS) {
            expect(after[period] >= before[period]).toBe(true)
            const end = endOf(period, zone, now)
            expect(periodsAt(zone, end - 1)[period]).toBe(before[period])
            expect(periodsAt(zone, end)[period] > before[period]).toBe(true)
          }
        },
      ),
      { numRuns: 200, seed: 46 },
    )
  })
})
