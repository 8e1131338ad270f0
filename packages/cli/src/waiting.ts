import type { Pending } from 'athkit/agent'
import { untilInWords } from './say.ts'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 100

/**
 * Says on standard error that a person is waited for; at a terminal in one line that moves, until it is told to stop.
 *
 * @returns stops it
 */
export function waitingFor(text: string): () => void {
  const { stderr } = process
  if (stderr.isTTY !== true) {
    console.error(`ath: ${text}`)
    return () => undefined
  }
  let frame = 0
  const draw = (): void => void stderr.write(`\r\u001b[K${FRAMES[frame++ % FRAMES.length]} ${text}`)
  draw()
  const timer = setInterval(draw, FRAME_MS)
  return () => {
    clearInterval(timer)
    stderr.write('\r\u001b[K')
  }
}

/** While the user is asked: the code that they pick in their wallet. */
export const waitingForUser = ({ bindingCode, expiresAt }: Pending): (() => void) =>
  waitingFor(`the user is asked, ${untilInWords(expiresAt)}; the code to pick is ${bindingCode}`)
