import { expect, test } from 'vitest'
import { isLoopbackAddress, isPublicAddress } from '../../src/net/public.ts'

test.each(['8.8.8.8', '172.15.255.255', '172.32.0.1', '100.63.255.255', '2606:4700::1111', '::ffff:8.8.8.8'])(
  '%s is public',
  (address) => {
    expect(isPublicAddress(address)).toBe(true)
  },
)

test.each([
  ['this machine', '127.0.0.1'],
  ['this machine, another of its addresses', '127.255.255.254'],
  ['unspecified', '0.0.0.0'],
  ['private', '10.0.0.1'],
  ['private', '172.16.0.1'],
  ['private', '192.168.0.1'],
  ['link-local, where clouds keep credentials', '169.254.169.254'],
  ["a carrier's", '100.64.0.1'],
  ['for documentation', '192.0.2.1'],
  ['for benchmarks', '198.18.0.1'],
  ['a group', '224.0.0.1'],
  ['everybody', '255.255.255.255'],
  ['kept for later', '240.0.0.1'],
  ['IPv6: this machine', '::1'],
  ['IPv6: unspecified', '::'],
  ['IPv6: link-local', 'fe80::1'],
  ['IPv6: link-local with a zone', 'fe80::1%eth0'],
  ['IPv6: unique local', 'fd00::1'],
  ['IPv6: site-local', 'fec0::1'],
  ['IPv6: a group', 'ff02::1'],
  ['IPv6: for documentation', '2001:db8::1'],
  ['IPv6: given out to nobody', '4000::1'],
  ['IPv4-mapped: this machine', '::ffff:127.0.0.1'],
  ['IPv4-mapped in hexadecimal: the metadata of a cloud', '::ffff:a9fe:a9fe'],
  ['IPv4-compatible', '::127.0.0.1'],
  ['IPv4 through NAT64', '64:ff9b::7f00:1'],
  ['IPv4 through 6to4', '2002:7f00:1::'],
  ['IPv4 through Teredo', '2001::1'],
  ['no address', 'localhost'],
  ['nothing', ''],
])('%s is not public: %s', (_, address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test('only 127.0.0.0/8 and ::1, mapped or not, are this machine', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
    expect(isLoopbackAddress(address)).toBe(true)
  }
  for (const address of ['10.0.0.1', '169.254.169.254', '0.0.0.0', 'fe80::1', '8.8.8.8', 'localhost']) {
    expect(isLoopbackAddress(address)).toBe(false)
  }
})
