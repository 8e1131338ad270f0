// Counts up in a vault and says each number once it is kept, until it is killed.
import { openFileVault } from 'athkit/vault-node'

const vault = await openFileVault(process.argv[2], { key: new Uint8Array(32).fill(1) })
const identity = await vault.identity()
process.stdout.write(`${identity.did}\n`)
for (;;) {
  let count = 0
  await vault.update('session', 'count', (before) => {
    count = (before ?? 0) + 1
    return count
  })
  process.stdout.write(`${count}\n`)
}
