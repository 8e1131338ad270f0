// Another process at a store's file: runs what it is told, and says what came out.
import { sqlite } from '../../dist/store/sqlite.js'

const store = await sqlite(process.argv[2])
process.on('message', async ({ operations, now }) => {
  process.send(await store.transact('p', operations, now))
})
process.send('ready')
