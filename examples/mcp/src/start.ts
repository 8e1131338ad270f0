/** `npm run mcp`: the user, who starts the two others, signs what the agent may do, and judges what came of it. */
import { strict as assert } from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { makeLocalCertificates } from '@athkit-examples/shop/certificates'
import { generateSigner } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { createUser } from 'athkit/user'

const folder = mkdtempSync(join(tmpdir(), 'athkit-mcp-'))
const children: ChildProcess[] = []

/** One of the two: what it reports, line by line. */
function start(name: string, args: readonly string[]) {
  const script = new URL(`./${name}.js`, import.meta.url).pathname
  const child = spawn(process.execPath, ['--tls-min-v1.3', script, ...args], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    tell: (message: object) => child.stdin.end(`${JSON.stringify(message)}\n`),
    async next() {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the ${name} ended early`)
      return JSON.parse(value)
    },
  }
}

async function main(): Promise<void> {
  for (const [name, pem] of Object.entries(await makeLocalCertificates())) {
    writeFileSync(join(folder, `${name}.pem`), pem, { mode: 0o600 })
  }
  const signer = await generateSigner()
  const user = createUser({ identity: { did: didFromKey(signer.publicKey), signer } })

  const server = start('server', [
    '--cert',
    join(folder, 'cert.pem'),
    '--key',
    join(folder, 'key.pem'),
    '--enrol',
    user.did,
  ])
  const { origin, server_did: audience } = await server.next()
  const agent = start('agent', [])
  const { did: clientDid } = await agent.next()

  const authorize = (scopes: readonly string[]) =>
    user.authorize({
      clientDid,
      scopes,
      audience,
      expiresInSeconds: 600,
      restrictions: { order_amount_limit: 5000 },
    })
  agent.tell({
    origin,
    readOnly: await authorize(['goods:read']),
    full: await authorize(['goods:read', 'order:create']),
  })
  const { reader, buyer, unsealed } = await agent.next()

  assert.deepEqual(reader.tools, ['search_goods', 'follow_order'])
  assert.deepEqual(reader.found, [
    { goods_id: '123', name: 'Phone Mini', price: 2999 },
    { goods_id: '200', name: 'Phone case', price: 49 },
  ])
  assert.equal(reader.order, 'scope_denied')
  assert.deepEqual(buyer.tools, ['search_goods', 'follow_order', 'place_order', 'cancel_order'])
  assert.equal(buyer.amount, 2999)
  assert.equal(buyer.tooMuch, 'restriction_violated')
  assert.equal(buyer.seen[0], 'received')
  assert.equal(buyer.stages.at(-1), 'cancelled')
  assert.ok(!buyer.stages.includes('delivered'))
  assert.equal(unsealed.error, 'token_invalid')

  console.log(`MCP at ${origin}/mcp, over TLS 1.3, every request sealed`)
  console.log(`  with goods:read:     ${reader.tools.join(', ')}; place_order: ${reader.order}`)
  console.log(`  and order:create:    ${buyer.tools.join(', ')}`)
  console.log(`  an order of 2999:    placed; one of 5998, beyond 5000: ${buyer.tooMuch}`)
  console.log(`  followed as it went: ${buyer.stages.join(', ')}`)
}

try {
  await main()
} catch (error) {
  console.error(`Not as it should be: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  for (const child of children) child.kill()
  rmSync(folder, { recursive: true, force: true })
}
