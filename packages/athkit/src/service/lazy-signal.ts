/**
 * A request whose signal is made when somebody asks for it: few handlers do, and one given to the constructor costs as much as all
 * the rest of a request. It is a class because a property put on each request by itself would make every one of them an object of a
 * kind of its own, slow to read ever after.
 */
export class LazySignalRequest extends Request {
  readonly #signal: () => AbortSignal

  constructor(url: string, init: RequestInit, signal: () => AbortSignal) {
    super(url, init)
    this.#signal = signal
  }

  override get signal(): AbortSignal {
    return this.#signal()
  }
}
