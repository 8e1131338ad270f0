/** The agent of the README. It shops with what stands in its vault: `node five-lines.js ORIGIN VAULT`, the passphrase in the environment. */
import { createAgent } from 'athkit/agent'
import { openFileVault } from 'athkit/vault-node'

const [origin = '', file = ''] = process.argv.slice(2)
const passphrase = process.env.ATH_PASSPHRASE ?? ''

// #region five-lines
const vault = await openFileVault(file, { passphrase })
const agent = createAgent({ identity: await vault.identity(), vault })
const session = await agent.connect(origin, { scopes: ['goods:read', 'order:create'] })
const found = await session.fetch('/api/goods?keyword=phone')
const placed = await session.request('POST /api/order', { json: { goods_id: '200', quantity: 1 } })
// #endregion five-lines

console.log(JSON.stringify({ found: await found.json(), placed: await placed.json() }))
await session.close()
