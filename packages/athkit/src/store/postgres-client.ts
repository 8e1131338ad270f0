/** What is needed of a `Pool` of `pg`: an instance is taken as it is. */
export interface PgPool {
  connect(): Promise<PgConnection>
  on(event: 'error', listener: (error: Error) => void): unknown
}

export interface PgConnection {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>
  on(event: 'error', listener: (error: Error) => void): unknown
  /** @param destroy whether to close it instead of using it again */
  release(destroy?: boolean): void
}

/** What is needed of a client of `postgres`: what its default export returns is taken as it is. */
export interface PostgresJs {
  unsafe(text: string, values?: string[], options?: { prepare: boolean }): PostgresJsQuery
}

export interface PostgresJsQuery extends PromiseLike<readonly unknown[]> {
  cancel(): void
}

/** Runs one statement, or several that take no values; gives up after the time, whatever the server is doing. */
export type Query = (
  text: string,
  values: readonly string[],
  timeoutMs: number,
) => Promise<readonly unknown[]>

export const queryOf = (client: PgPool | PostgresJs): Query =>
  'unsafe' in client ? throughPostgresJs(client) : throughPool(client)

function throughPool(pool: PgPool): Query {
  // Without a listener a connection that breaks off ends the process; the pool replaces it by itself, and who waits for it is told.
  const heard = new WeakSet<PgConnection>()
  pool.on('error', () => undefined)
  return async (text, values, timeoutMs) => {
    const clock = startClock(timeoutMs)
    const connecting = pool.connect()
    let connection: PgConnection
    try {
      connection = await clock.race(connecting)
    } catch (error) {
      // One that comes too late goes back unused: nothing is asked of it any more.
      connecting.then(
        (late) => late.release(),
        () => undefined,
      )
      throw error
    }
    if (!heard.has(connection)) connection.on('error', () => undefined)
    heard.add(connection)
    let isBroken = true
    try {
      const { rows } = await clock.race(connection.query(text, [...values]))
      isBroken = false
      return rows
    } catch (error) {
      isBroken = !isOfStatement(error)
      throw error
    } finally {
      connection.release(isBroken)
      clock.stop()
    }
  }
}

/** The server refused the statement, by an SQLSTATE that says nothing of the connection: it is as good as before. */
const isOfStatement = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && /^(?!08|57P)[0-9A-Z]{5}$/.test(code)
}

function throughPostgresJs(sql: PostgresJs): Query {
  return async (text, values, timeoutMs) => {
    const clock = startClock(timeoutMs)
    const query = values.length === 0 ? sql.unsafe(text) : sql.unsafe(text, [...values], { prepare: true })
    const running = Promise.resolve(query)
    try {
      return await clock.race(running)
    } catch (error) {
      if (error instanceof Late) query.cancel()
      running.catch(() => undefined)
      throw error
    } finally {
      clock.stop()
    }
  }
}

class Late extends Error {}

function startClock(timeoutMs: number) {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  late.catch(() => undefined)
  return {
    race: <T>(work: PromiseLike<T>): Promise<T> => Promise.race([work, late]),
    stop: () => clearTimeout(timer),
  }
}
