import { failureOf, sentencesOf } from './failure.ts'
import { statusOf } from './status.ts'
import { Interrupted, Unfinished } from './trouble.ts'

/**
 * Runs a command. Its result or its failure is the last line on standard output, in JSON where that is asked for; otherwise the
 * result in words, and a failure in sentences on standard error. The exit status says what kind of failure it was.
 *
 * @param work gets a signal that is aborted when somebody stops the command: it leaves nothing open, and ends; a second Ctrl-C does
 *   not wait for that
 * @param say the result in words, undefined where they stand there already; its JSON without it
 */
export async function run<Result extends object | string>(
  isJson: boolean,
  work: (signal: AbortSignal) => Promise<Result>,
  say: (result: Result) => string | undefined = inWords,
): Promise<void> {
  const stop = new AbortController()
  const onSignal = (name: NodeJS.Signals): void => {
    const error = new Interrupted(name === 'SIGTERM' ? name : 'SIGINT')
    if (stop.signal.aborted) process.exit(statusOf(error))
    stop.abort(error)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  try {
    const result = await work(stop.signal)
    const text = isJson ? JSON.stringify(result) : say(result)
    if (text !== undefined) console.log(text)
  } catch (thrown) {
    fail(isJson, stop.signal.aborted ? stopped(stop.signal.reason, thrown) : thrown)
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

/** Whatever the work made of being stopped: that is why it failed, after what it had done. */
const stopped = (reason: unknown, thrown: unknown): unknown =>
  thrown instanceof Unfinished ? new Unfinished(reason, thrown.done) : reason

export function fail(isJson: boolean, error: unknown): void {
  if (isJson) console.log(JSON.stringify(failureOf(error)))
  else console.error(sentencesOf(error))
  process.exitCode = statusOf(error)
}

const inWords = (result: object | string): string =>
  typeof result === 'string' ? result : JSON.stringify(result, null, 2)
