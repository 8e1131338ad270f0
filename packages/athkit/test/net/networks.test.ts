import { describe, expect, test } from 'vitest'
import { createAddressReader } from '../../src/net/forwarded.ts'
import { intersectNetworks, isInNetworks, type Networks, parseNetworks } from '../../src/net/networks.ts'

const networks = (...list: string[]): Networks => parseNetworks(list) as Networks

describe('networks (ATH-6.4.3)', () => {
  test.each([
    ['10/8', 'which some readers take for 0.0.0.10/8'],
    ['10.1/16', 'which some readers take for 10.0.0.1/16'],
    ['010.0.0.0/8', 'octal to some'],
    ['0x0a.0.0.0/8', 'hexadecimal'],
    ['10.0.0.0/08', 'a leading zero'],
    ['10.0.0.0/33', 'too many bits'],
    ['256.0.0.0/8', 'no octet'],
    ['10.0.0.1', 'an address'],
    ['fe80::1%eth0/64', 'a zone'],
    ['2001:db8::/129', 'too many bits'],
    ['', 'nothing'],
  ])('%s is none: %s', (text) => {
    expect(parseNetworks([text])).toBeUndefined()
    expect(parseNetworks(['10.0.0.0/8', text])).toBeUndefined()
  })

  test.each([
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['::/0', '10.1.2.3', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['fe80::/64', 'fe80::1%eth0', true],
    ['0.0.0.0/0', '0x7f000001', false],
    ['0.0.0.0/0', '127.1', false],
    ['0.0.0.0/0', '010.0.0.1', false],
    ['0.0.0.0/0', 'localhost', false],
  ])('%s holds %s: %s', (network, address, holds) => {
    expect(isInNetworks(networks(network), address)).toBe(holds)
  })

  test('a mapped network and an IPv4 one overlap', () => {
    expect(intersectNetworks(networks('10.0.0.0/8'), networks('::ffff:10.1.0.0/112'))).toEqual([
      '::ffff:10.1.0.0/112',
    ])
  })
})

describe('whom a request comes from', () => {
  const behind = createAddressReader(['10.0.0.0/8', '2001:db8::/32'])

  test('without configured proxies nothing but the connection counts', () => {
    expect(createAddressReader()('203.0.113.7', '198.51.100.1')).toBe('203.0.113.7')
    expect(createAddressReader([])('10.0.0.1', '198.51.100.1')).toBe('10.0.0.1')
  })

  test.each([
    ['203.0.113.7', '198.51.100.1', '203.0.113.7', 'a stranger’s header'],
    ['10.0.0.1', undefined, '10.0.0.1', 'a proxy that says nothing'],
    ['10.0.0.1', '198.51.100.1', '198.51.100.1', 'what the proxy says'],
    ['::ffff:10.0.0.1', '198.51.100.1', '198.51.100.1', 'a mapped peer'],
    ['10.0.0.1', '192.0.2.66, 198.51.100.1', '198.51.100.1', 'not what its client had claimed'],
    ['10.0.0.1', '192.0.2.66, 198.51.100.1, 10.9.9.9,2001:db8::5', '198.51.100.1', 'through several proxies'],
    ['10.0.0.1', '10.3.3.3, 10.9.9.9', '10.3.3.3', 'proxies alone'],
    ['10.0.0.1', '198.51.100.1, ', 'unknown', 'an empty entry'],
    ['10.0.0.1', '198.51.100.1, secret', 'unknown', 'what is no address'],
    ['10.0.0.1', '198.51.100.1:4711', 'unknown', 'a port'],
    ['10.0.0.1', '', 'unknown', 'an empty header'],
  ])('%s with %s: %s (%s)', (peer, header, address) => {
    expect(behind(peer, header)).toBe(address)
  })

  test('what is no network is refused where it is configured', () => {
    expect(() => createAddressReader(['10/8'])).toThrow('trustedProxies')
  })
})
