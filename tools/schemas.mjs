/** Writes the JSON Schema of every message into vectors/schemas: `npm run schemas`. A test fails while they are not those of the code. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { messageSchemas } from '../packages/athkit/dist/vectors/schemas.js'

const folder = new URL('../vectors/schemas/', import.meta.url)
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
for (const [name, schema] of messageSchemas()) {
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(schema, null, 2)}\n`)
}
