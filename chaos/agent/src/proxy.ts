/** A TCP proxy between an agent and a shop that harms messages as it is told: by their number, in the order in which they come. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Fate, Plan } from './faults.ts'
import { createRequestCutter } from './requests.ts'

export interface ChaosProxy {
  readonly port: number
  /** Where what is harmed goes to in the end. */
  connectTo(port: number): void
  /** What happened, one line for each fault. */
  readonly told: readonly string[]
  /** All that went by, both ways. */
  readonly seen: readonly Buffer[]
  stop(): void
}

export async function startProxy(plan: Plan): Promise<ChaosProxy> {
  let target = 0
  let messages = 0
  const told: string[] = []
  const seen: Buffer[] = []
  const sockets = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()

  const later = (milliseconds: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, milliseconds)
    timers.add(timer)
  }

  function track(socket: Socket): Socket {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    return socket
  }

  const dial = (): Socket => track(connect({ port: target, host: '127.0.0.1', allowHalfOpen: true }))

  const server = createServer({ allowHalfOpen: true }, (client) => {
    track(client)
    let upstream: Socket | undefined
    let answer: Fate = { fault: undefined, delay: 0, part: 0 }
    let isFirstChunk = true
    const { push } = createRequestCutter()
    const both = (work: (socket: Socket) => void): void => {
      work(client)
      if (upstream !== undefined) work(upstream)
    }
    const reset = () => both((socket) => socket.resetAndDestroy())
    client.on('end', () => upstream?.end())
    client.on('close', () => upstream?.destroy())

    client.on('data', (chunk: Buffer) => {
      seen.push(chunk)
      for (const request of push(chunk)) forward(request)
    })

    function forward(request: Buffer): void {
      const number = messages++
      const fates = plan(number)
      answer = fates.answer
      isFirstChunk = true
      const { fault, delay, part } = fates.request
      const line = request.subarray(0, request.indexOf('\r\n')).toString()
      if (fault !== undefined) told.push(`${number} ${line}: ${fault}`)
      if (answer.fault !== undefined) told.push(`${number} answer to ${line}: ${answer.fault}`)
      const up = upstreamNow()
      switch (fault) {
        case undefined:
          up.write(request)
          return
        case 'drop':
          return
        case 'delay':
          later(delay, () => up.write(request))
          return
        case 'duplicate': {
          up.write(request)
          const twin = dial()
          twin.on('data', () => undefined)
          twin.write(request)
          later(1000, () => twin.destroy())
          return
        }
        case 'reset':
          up.write(request.subarray(0, Math.floor(part * request.length)), () => reset())
          return
        case 'half-close':
          up.end(request.subarray(0, Math.floor(part * request.length)))
          later(delay, () => client.end())
      }
    }

    function upstreamNow(): Socket {
      if (upstream !== undefined && !upstream.destroyed && upstream.writable) return upstream
      const fresh = dial()
      upstream = fresh
      fresh.on('data', (chunk: Buffer) => {
        seen.push(chunk)
        backward(chunk)
      })
      fresh.on('end', () => client.end())
      fresh.on('close', () => client.destroy())
      return fresh
    }

    function backward(chunk: Buffer): void {
      const { fault, delay, part } = answer
      const isFirst = isFirstChunk
      isFirstChunk = false
      const some = chunk.subarray(0, Math.floor(part * chunk.length))
      switch (fault) {
        case undefined:
          client.write(chunk)
          return
        case 'drop':
          return
        case 'delay':
          later(delay, () => client.write(chunk))
          return
        case 'duplicate':
          client.write(chunk)
          if (isFirst) client.write(chunk)
          return
        case 'reset':
          if (isFirst) client.write(some, () => reset())
          return
        case 'half-close':
          if (isFirst) client.end(some)
      }
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    port: (server.address() as AddressInfo).port,
    connectTo: (port) => {
      target = port
    },
    told,
    seen,
    stop() {
      for (const timer of timers) clearTimeout(timer)
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
