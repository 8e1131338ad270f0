/** What is needed of a SQLite: `node:sqlite` and `libsql` both have it. */
export interface Database {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): void
}

/** Values come as one array, as `libsql` wants them: spread, it would gather and flatten them for every call. */
export interface Statement {
  get(values: readonly unknown[]): unknown
  all(values: readonly unknown[]): unknown
  run(values: readonly unknown[]): { readonly changes: number }
}

/** Whether somebody else has the file at present, in whichever of its ways (`SQLITE_BUSY`). */
export function isBusy(error: unknown): boolean {
  const { rawCode, errcode } = error as { readonly rawCode?: number; readonly errcode?: number }
  return ((rawCode ?? errcode ?? 0) & 0xff) === 5
}

/** As `node:sqlite` wants them. */
interface SpreadStatement {
  get(...values: readonly unknown[]): unknown
  all(...values: readonly unknown[]): unknown
  run(...values: readonly unknown[]): { readonly changes: number }
}

interface BuiltIn extends Omit<Database, 'prepare'> {
  prepare(sql: string): SpreadStatement
}

/** The runtime's own where it has one, else the optional peer `libsql`, which comes without a compiler. */
export async function openDatabase(file: string): Promise<Database> {
  const builtIn = process.getBuiltinModule?.('node:sqlite') as
    | { DatabaseSync: new (file: string) => BuiltIn }
    | undefined
  if (builtIn !== undefined) return spreading(new builtIn.DatabaseSync(file))
  // A name in a variable keeps bundlers and the type checker from asking for what is optional.
  const peer = 'libsql'
  const { default: Libsql } = (await import(peer).catch((cause: unknown) => {
    throw new Error('no SQLite here: use Node 22.13 or newer, or install the package libsql', { cause })
  })) as { default: new (file: string) => Database }
  return new Libsql(file)
}

const spreading = (database: BuiltIn): Database => ({
  exec: (sql) => database.exec(sql),
  prepare(sql) {
    const statement = database.prepare(sql)
    return {
      get: (values) => statement.get(...values),
      all: (values) => statement.all(...values),
      run: (values) => statement.run(...values),
    }
  },
  close: () => database.close(),
})
