import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { isIP } from 'node:net'
import { AthError } from '../errors.ts'
import { isLoopbackAddress, isPublicAddress } from '../net/public.ts'

/** Every address that a name has, as text. Asked once for each fetch. */
export type Lookup = (hostname: string) => Promise<readonly string[]>

export interface DialOptions {
  readonly lookup: Lookup
  readonly allowLoopback: boolean
  /** PEM certificates of authorities that are trusted instead of the platform's. */
  readonly ca: string | readonly string[] | undefined
}

/**
 * The one address that will be dialled. Every address of the name is looked at, not only the first: a name with one address outside
 * and one inside is a trap.
 *
 * @throws AthError `peer_violation` for a name that leads anywhere but to the public Internet, `transport_failed` for one that leads nowhere
 */
export async function addressOf(hostname: string, { lookup, allowLoopback }: DialOptions): Promise<string> {
  const literal = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  const addresses = isIP(literal) === 0 ? await resolved(hostname, lookup) : [literal]
  for (const address of addresses) {
    if (isPublicAddress(address) || (allowLoopback && isLoopbackAddress(address))) continue
    throw new AthError('peer_violation', `${hostname} leads to an address that is not public`, {
      rule: 'ATH-4.5',
    })
  }
  const [first] = addresses
  if (first === undefined) {
    throw new AthError('transport_failed', `${hostname} has no address`, { rule: 'ATH-4.5' })
  }
  return first
}

async function resolved(hostname: string, lookup: Lookup): Promise<readonly string[]> {
  try {
    return await lookup(hostname)
  } catch (cause) {
    throw new AthError('transport_failed', `${hostname} is not known to DNS`, { rule: 'ATH-4.5', cause })
  }
}

/**
 * Sends a GET to that very address; the name counts for the certificate alone, and nobody looks it up again. The connection is new and
 * is used once: no other request's checks speak for it.
 */
export function dial(
  url: URL,
  address: string,
  headers: Headers,
  ca: DialOptions['ca'],
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const isName = isIP(url.hostname) === 0 && !url.hostname.startsWith('[')
  return new Promise((resolve, reject) => {
    const sent = request({
      host: address,
      port: url.port === '' ? 443 : Number(url.port),
      path: url.pathname + url.search,
      method: 'GET',
      headers: { ...Object.fromEntries(headers), host: url.host, 'accept-encoding': 'identity' },
      servername: isName ? url.hostname : '',
      agent: false,
      minVersion: 'TLSv1.3',
      rejectUnauthorized: true,
      signal,
      ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
    })
    sent.once('response', resolve)
    sent.on('error', reject)
    sent.end()
  })
}
