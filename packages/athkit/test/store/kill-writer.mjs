// Writes on and on, and says what was acknowledged, until it is killed.
import { sqlite } from '../../dist/store/sqlite.js'

const store = await sqlite(process.argv[2])
for (let seq = 0; ; seq++) {
  const put = { op: 'put', key: `k${seq}`, value: String(seq) }
  await store.transact('p', [put, { op: 'mark', key: 'w', seq }], 0)
  process.send(seq)
}
