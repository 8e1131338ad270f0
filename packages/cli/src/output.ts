import { visibleLines } from './say.ts'

/** `ath … | head` is no error: what nobody reads is not written, and the exit status is that of the work. */
export function quietWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}

/**
 * Writes a service's answer as it comes: byte for byte, but to a terminal, which a service must not steer, nothing but text. It ends
 * with a line end there.
 */
export function createPrinter(stream: NodeJS.WriteStream): { print(piece: Uint8Array): void; end(): void } {
  const decoder = new TextDecoder()
  let last = '\n'
  const write = (text: string): void => {
    if (text === '') return
    stream.write(visibleLines(text))
    last = text.at(-1) ?? last
  }
  if (stream.isTTY !== true) return { print: (piece) => void stream.write(piece), end: () => undefined }
  return {
    print: (piece) => write(decoder.decode(piece, { stream: true })),
    end() {
      write(decoder.decode())
      if (last !== '\n') stream.write('\n')
    },
  }
}
