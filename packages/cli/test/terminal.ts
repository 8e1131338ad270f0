import { execFileSync } from 'node:child_process'

/** `script` of util-linux gives a program a terminal of its own. Where it is missing, what a person does there is not tested, and said so. */
export const hasTerminal = (() => {
  try {
    execFileSync('script', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn('no script(1) here: what a person at a terminal does is NOT tested')
    return false
  }
})()
