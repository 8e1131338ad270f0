import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeListener } from '../../src/adapters/node.ts'
import { toBase64url } from '../../src/crypto/bytes.ts'
import { createHandler } from '../../src/http/index.ts'
import { carried } from '../../src/service/carried.ts'
import { decodeRequestHeader } from '../../src/session/header.ts'
import { shop } from './shop.ts'

type ShopOptions = NonNullable<Parameters<typeof shop>[0]>

/** The shop on a socket of this machine: its origin has to be known before the service is made. */
export async function shopOnSocket(options: ShopOptions = {}) {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const made = await shop({
    ...options,
    service: { allowPlaintextOnLoopback: true, limits: { exempt: () => true }, ...options.service, origin },
  })
  const handle = createHandler(made.service)
  const places: string[] = []
  server.on(
    'request',
    toNodeListener(async (request, { address }) => {
      const { pathname } = new URL(request.url)
      made.sent.push(`${request.method} ${pathname}`)
      const sealed = pathname === '/ath/sealed' ? carried(request) : undefined
      if (sealed !== undefined) places.push(placeOf(sealed))
      return (await handle(request, { address })) ?? new Response(null, { status: 404 })
    }),
  )
  const link = made.user.linkTo({ origin, serverDid: made.server.did, allowPlaintextOnLoopback: true })
  return { ...made, origin, link, places, stop: () => stop(server) }
}

/** Session, epoch and number of a sealed request. */
function placeOf(bytes: Uint8Array): string {
  const { sid, epoch, seq } = decodeRequestHeader(bytes.slice(0, 45))
  return `${toBase64url(sid)}:${epoch}:${seq}`
}

function stop(server: Server): void {
  server.close()
  server.closeAllConnections()
}
