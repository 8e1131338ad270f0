// Writes to a store's file and leaves it as a process does that was its last: with the WAL taken away, if nobody's locks forbid it.
import { openDatabase } from '../../dist/store/sqlite-driver.js'

const database = await openDatabase(process.argv[2])
database.exec("INSERT INTO outbox (partition, id, value) VALUES ('leaver', 'e', '')")
database.close()
