/**
 * One at a time for each key, in this process. It spares cryptography that twenty copies of one message would do twenty times; that
 * only one of them takes effect is the store's doing.
 */
export function createQueue(): <T>(key: string, task: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<unknown>>()
  return async (key, task) => {
    const before = tails.get(key)
    const mine = before === undefined ? task() : before.then(task, task)
    tails.set(key, mine)
    try {
      return await mine
    } finally {
      if (tails.get(key) === mine) tails.delete(key)
    }
  }
}
