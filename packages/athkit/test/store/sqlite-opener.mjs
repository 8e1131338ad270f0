// Opens each file it is told of, writes to it, and says what went wrong.
import { sqlite } from '../../dist/store/sqlite.js'

process.on('message', async (file) => {
  try {
    const store = await sqlite(file)
    await store.transact('p', [{ op: 'put', key: `k${process.pid}`, value: 'v' }], 0)
    await store.close()
    process.send('opened')
  } catch (error) {
    process.send(String(error))
  }
})
process.send('ready')
