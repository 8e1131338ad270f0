// Writes facts down and says which are durable, until it is killed.
import { createAudit } from '../../dist/audit/index.js'
import { sqlite } from '../../dist/store/sqlite.js'

const store = await sqlite(process.argv[2])
const now = () => Math.floor(Date.now() / 1000)
const audit = createAudit({ store, signer: undefined, now, failed: () => undefined })
for (let n = 0; ; n++) {
  const fact = { event: 'identity proven', timestamp: now(), detail: { n } }
  await audit.write(`p${n % 7}`, [], [fact])
  process.send(n)
  if (n % 25 === 24) await audit.flush()
}
