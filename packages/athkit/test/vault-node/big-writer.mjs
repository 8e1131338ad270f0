// Puts more into a vault than there is room for. Ends with 3 when it is told so.
import { openFileVault } from 'athkit/vault-node'

// A write beyond the limit is an error, and not the end of this process.
process.on('SIGXFSZ', () => undefined)
const vault = await openFileVault(process.argv[2], { key: new Uint8Array(32).fill(1) })
try {
  await vault.update('session', 'big', () => 'x'.repeat(2_000_000))
} catch (error) {
  process.exit(error.code === 'EFBIG' ? 3 : 1)
}
