/** Whether `/readyz` of a server on this machine says 200: `node tools/healthcheck.mjs https://127.0.0.1:8443/readyz`. */
import { request } from 'node:https'

// It asks its own machine: whose certificate that is does not matter.
const outgoing = request(process.argv[2], { rejectUnauthorized: false, timeout: 2500 }, (answer) =>
  process.exit(answer.statusCode === 200 ? 0 : 1),
)
outgoing.on('timeout', () => process.exit(1))
outgoing.on('error', () => process.exit(1))
outgoing.end()
