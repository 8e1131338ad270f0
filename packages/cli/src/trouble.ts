/** What only a command can run into, beside what the library throws. */

/** What the person at the keyboard got wrong, in a sentence that says what is right. */
export class Usage extends Error {
  override readonly name = 'Usage'
}

/** Where a vault is meant to be, there is none. */
export class NoVault extends Error {
  override readonly name = 'NoVault'
}

/** No session is kept, or the one that was is over. */
export class NoSession extends Error {
  override readonly name = 'NoSession'
}

/** Nobody asked within the time that was given. */
export class NoQuestion extends Error {
  override readonly name = 'NoQuestion'
}

/** Somebody stopped the command. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: 'SIGINT' | 'SIGTERM'

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(signal === 'SIGINT' ? 'stopped from the keyboard' : 'stopped')
    this.signal = signal
  }
}

/** What failed once something had been done already, which is told with it. */
export class Unfinished extends Error {
  override readonly name = 'Unfinished'
  override readonly cause: unknown
  readonly done: object

  constructor(cause: unknown, done: object) {
    super((cause as Error).message)
    this.cause = cause
    this.done = done
  }
}
