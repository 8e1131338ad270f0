/** How many use a connection, answers that still come in included, and when nobody does any more. */
export interface Leases {
  /** @returns what to call when done, once or more often */
  take(): () => void
  /** Resolves once nobody uses it. */
  idle(): Promise<void>
}

export function createLeases(): Leases {
  let held = 0
  let waiting: (() => void)[] = []
  return {
    take() {
      held++
      let given = false
      return () => {
        if (given) return
        given = true
        if (--held > 0) return
        for (const resolve of waiting) resolve()
        waiting = []
      }
    },
    idle: () =>
      new Promise((resolve) => {
        if (held === 0) resolve()
        else waiting.push(resolve)
      }),
  }
}
