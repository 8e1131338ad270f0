/** `npm run bench`: each row a ratio of two things measured in this one run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { closeConnections } from './connections.ts'
import { measureHandshakeCpu, measureHandshakeTime } from './handshakes.ts'
import { userParty } from './parties.ts'
import { compareSealed } from './sealed.ts'
import { startServer } from './server-process.ts'
import { measureOnPostgres, sessionsOnSqlite } from './sessions-on.ts'
import { printTable } from './table.ts'

const { sessions } = parseArgs({ options: { sessions: { type: 'string' } } }).values
const folder = mkdtempSync(join(tmpdir(), 'athkit-bench-'))

if (sessions === undefined) {
  const inMemory = await startServer(userParty.did, 'TLS')
  console.error('handshakes …')
  await measureHandshakeCpu(inMemory, 'memory')
  console.error('sealed requests of 1 KiB …')
  await compareSealed(inMemory, 'TLS 1.3, memory')
  inMemory.stop()
  const onDisk = await startServer(userParty.did, 'TLS', join(folder, 'bench.db'))
  await measureHandshakeCpu(onDisk, 'SQLite')
  await measureHandshakeTime(onDisk, 'SQLite')
  await compareSealed(onDisk, 'TLS 1.3, SQLite')
  onDisk.stop()
  const plain = await startServer(userParty.did, 'plain')
  await compareSealed(plain, 'plain HTTP, memory')
  plain.stop()
}
const many = Number(sessions ?? 20_000)
console.error(`${many.toLocaleString('en')} live sessions on SQLite …`)
await sessionsOnSqlite(folder, many)
console.error(`${many.toLocaleString('en')} live sessions on PostgreSQL, and two nodes …`)
await measureOnPostgres(many)
closeConnections()
rmSync(folder, { recursive: true, force: true })
printTable()
