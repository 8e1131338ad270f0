import { appendFileSync } from 'node:fs'
import { type AuditEntry, type AuditQuery, exportAudit, fits, recoverAudit, verifyAudit } from 'athkit/audit'
import { type JsonObject, type PublicKey, parseJson, publicKeyFromPem } from 'athkit/crypto'
import { createResolver, keysOf } from 'athkit/did'
import { visible } from 'athkit/user'
import type { Command } from 'commander'
import { didIn, repeated } from './arguments.ts'
import { readText, writePrivate } from './files.ts'
import { run } from './outcome.ts'
import { STATUS } from './status.ts'
import { onStore, type StoreOptions, storeOf } from './store-options.ts'
import { Usage } from './trouble.ts'

interface SourceOptions extends StoreOptions {
  readonly file?: string
  readonly json?: true
}

interface VerifyOptions extends SourceOptions {
  readonly heads: readonly string[]
  readonly did?: string
  readonly key?: string
}

type QueryOptions = SourceOptions &
  Record<'since' | 'until', string | undefined> &
  Omit<AuditQuery, 'since' | 'until'>

/** As the operator of a service: what it has written down (ATH-10). */
export function auditCommands(program: Command): void {
  const audit = program.command('audit').description('what a service has written down')
  onStore(audit.command('export'))
    .description('every entry and every signed head, a line of JSON each')
    .option('--out <file>', 'where to write them; standard output without it')
    .action((options: SourceOptions & { out?: string }) =>
      run(
        options.json === true,
        () => exportTo(options),
        ({ out, lines }) => (out === undefined ? undefined : `${lines} lines in ${out}`),
      ),
    )
  from(audit.command('query'))
    .description('the entries that fit')
    .option('--user <did>', 'of this user')
    .option('--agent <did>', 'of this agent')
    .option('--grant <id>', 'of this grant')
    .option('--handshake <id>', 'of this handshake')
    .option('--event <name>', 'such as "token issued"')
    .option('--since <time>', 'from then on: 2026-01-31, 2026-01-31T12:00:00Z, or Unix seconds')
    .option('--until <time>', 'before then')
    .action((options: QueryOptions) => run(options.json === true, () => query(options), listed))
  from(audit.command('verify'))
    .description('whether an entry was removed, altered or moved, and which')
    .option('--heads <file>', 'signed heads that were kept elsewhere; repeatable', repeated, [])
    .option('--did <did>', 'the service’s DID, whose key signs the heads', didIn)
    .option('--key <file>', 'its public key, PEM, where the DID does not hold it')
    .action((options: VerifyOptions) => run(options.json === true, () => verify(options), verdictInWords))
}

const from = (command: Command): Command =>
  onStore(command).option('--file <file>', 'an export, instead of the store')

type Line = JsonObject

async function linesOf(options: SourceOptions): Promise<readonly Line[]> {
  if (options.file !== undefined) return linesIn(options.file)
  const { store, close } = await storeOf(options)
  try {
    const now = Math.floor(Date.now() / 1000)
    await recoverAudit(store, now)
    const lines: Line[] = []
    for await (const line of exportAudit(store, now)) lines.push({ ...line } as Line)
    return lines
  } finally {
    await close()
  }
}

function linesIn(file: string): readonly Line[] {
  const lines = readText(file).split('\n')
  return lines.flatMap((text, index) => {
    if (text.trim() === '') return []
    try {
      return [parseJson(text) as Line]
    } catch {
      throw new Usage(`${file}: line ${index + 1} is no JSON object; give what ath audit export wrote`)
    }
  })
}

const AT_ONCE = 1000

async function exportTo({ out, ...source }: SourceOptions & { readonly out?: string }) {
  if (out !== undefined) writePrivate(out, '')
  let lines = 0
  let texts: string[] = []
  const flush = () => {
    if (texts.length === 0) return
    const text = `${texts.join('\n')}\n`
    if (out === undefined) process.stdout.write(text)
    else appendFileSync(out, text)
    texts = []
  }
  for (const line of await linesOf(source)) {
    lines += 1
    if (texts.push(JSON.stringify(line)) >= AT_ONCE) flush()
  }
  flush()
  return { ok: true, lines, ...(out === undefined ? {} : { out }) }
}

async function query({ since, until, ...options }: QueryOptions) {
  const wanted: AuditQuery = {
    ...options,
    ...(since === undefined ? {} : { since: timeIn(since) }),
    ...(until === undefined ? {} : { until: timeIn(until) }),
  }
  const entries: AuditEntry[] = []
  for (const line of await linesOf(options)) {
    const entry = line as unknown as AuditEntry
    if (line.type !== 'audit_head' && fits(entry, wanted)) entries.push(entry)
  }
  entries.sort((a, b) => a.timestamp - b.timestamp)
  return { ok: true, entries }
}

function timeIn(text: string): number {
  const seconds = /^[0-9]+$/.test(text) ? Number(text) : Date.parse(text) / 1000
  if (Number.isFinite(seconds)) return Math.floor(seconds)
  throw new Usage(`${text} is no time: write 2026-01-31, 2026-01-31T12:00:00Z, or Unix seconds`)
}

function listed({ entries }: { readonly entries: readonly AuditEntry[] }): string {
  if (entries.length === 0) return 'None.'
  return entries.map(inWords).join('\n')
}

function inWords({ timestamp, event, client_did, user_did, grant_id, detail }: AuditEntry): string {
  const when = new Date(timestamp * 1000).toISOString().replace('.000Z', 'Z')
  const who = [
    ['agent', client_did],
    ['user', user_did],
    ['grant', grant_id],
  ].flatMap(([name, id]) => (id === undefined ? [] : [`${name} ${visible(id)}`]))
  return [`${when}  ${event.padEnd(22)}`, ...who, visible(JSON.stringify(detail))].join('  ')
}

async function verify(options: VerifyOptions) {
  const lines = [...options.heads.flatMap(linesIn), ...(await linesOf(options))]
  const key = await keyOf(options)
  const { chains, heads, findings } = await verifyAudit(lines, key)
  if (findings.length > 0) process.exitCode = STATUS.refused
  return { ok: findings.length === 0, chains, heads, findings }
}

async function keyOf({ did, key }: VerifyOptions): Promise<PublicKey | undefined> {
  if (key !== undefined) return publicKeyFromPem(readText(key))
  if (did === undefined) return undefined
  const { document } = await createResolver().resolve(did)
  const [first] = await keysOf(document, 'authentication')
  return first
}

function verdictInWords({ chains, heads, findings }: Awaited<ReturnType<typeof verify>>): string {
  const entries = chains.reduce((sum, { count }) => sum + count, 0)
  const unsigned =
    heads === 0
      ? ' No signed head was looked at (--did, --heads): a tail that was cut off would not show.'
      : ''
  if (findings.length === 0) {
    return `Whole: ${entries} entries in ${chains.length} chains, ${heads} signed heads.${unsigned}`
  }
  return findings.map(({ process, kind, message }) => `${visible(process)}: ${kind}: ${message}`).join('\n')
}
