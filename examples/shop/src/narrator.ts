/**
 * The processes of the example tell what they do as JSON lines on their standard output; the one that started them prints
 * these in the order in which they happened. Nothing of the handshake goes this way: that goes over the network alone.
 */
export type Role = 'user' | 'agent' | 'shop' | 'registry'

export interface Line {
  readonly role: Role
  /** Milliseconds, comparable between processes of one machine. */
  readonly at: number
  /** The step of the handshake, where it is one. */
  readonly step?: string
  readonly text: string
}

export type Say = (text: string, step?: string) => void

export const narrator =
  (role: Role): Say =>
  (text, step) => {
    const line: Line = {
      role,
      at: performance.timeOrigin + performance.now(),
      text,
      ...(step === undefined ? {} : { step }),
    }
    process.stdout.write(`${JSON.stringify({ say: line })}\n`)
  }

/** A word from a process to whoever started it: that it is ready, or what became of it. */
export const report = (message: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

/** Lines come over several pipes: those that arrive within this time are put in order before they are printed. */
const SETTLE_MS = 40

export function printer(print: (line: Line) => void): { add(line: Line): void; flush(): void } {
  let waiting: Line[] = []
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    const due = waiting.sort((a, b) => a.at - b.at)
    waiting = []
    for (const line of due) print(line)
  }
  return {
    add(line) {
      waiting.push(line)
      timer ??= setTimeout(flush, SETTLE_MS)
    },
    flush,
  }
}
