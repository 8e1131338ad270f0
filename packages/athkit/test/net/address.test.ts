import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { expect, test } from 'vitest'
import { addressGroup } from '../../src/net/address.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['192.0.2.01', '192.0.2.1'],
  ['0300.0.2.1', '192.0.2.1'],
  ['3221225985', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::ffff', '2001:db8:1:2::/64'],
  ['unknown', 'unknown'],
])('%s counts as %s', (address, group) => {
  expect(addressGroup(address)).toBe(group)
})

test('whatever an IPv4 address is written as, it counts as one (ATH-4.4)', () => {
  const part = fc.oneof(
    fc.integer({ min: 0, max: 300 }).map(String),
    fc.integer({ min: 0, max: 255 }).map((n) => `0${n.toString(8)}`),
    fc.integer({ min: 0, max: 255 }).map((n) => `0x${n.toString(16)}`),
  )
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('', '.', ' '),
      (parts, tail) => {
        const text = parts.join('.') + tail
        const expected = ipaddr.isValid(text) ? ipaddr.process(text).toString() : text
        expect(addressGroup(text)).toBe(expected)
      },
    ),
    { numRuns: 2000, seed: 44 },
  )
})
