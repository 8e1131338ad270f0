import { toNodeListener } from 'athkit/adapters/node'
import { createRegistry } from 'athkit/registry'
import { sqlite } from 'athkit/store/sqlite'
import { type Command, InvalidArgumentError } from 'commander'
import { readText, writeText } from './files.ts'
import { listenOnLoopback, type ServerCertificate } from './loopback/listen.ts'
import { fail } from './outcome.ts'
import { Usage } from './trouble.ts'

interface RegistryOptions {
  readonly port: number
  readonly caFile?: string
  readonly cert?: string
  readonly key?: string
  readonly db: string
  readonly namesPerDay: number
  readonly operationsPerMinute: number
}

export function registryCommand(program: Command): void {
  program
    .command('registry')
    .description('run a registry of named DIDs on this machine, over TLS 1.3, until it is stopped')
    .option('--port <n>', 'on the loopback addresses; 0 takes a free one', port, 0)
    .option('--ca-file <file>', 'where to write the certificate of the authority to trust')
    .option('--cert <file>', 'a certificate made elsewhere, with --key: PEM')
    .option('--key <file>', 'its private key: PEM')
    .option('--db <file>', 'SQLite; :memory: forgets', ':memory:')
    .option('--names-per-day <n>', 'that one address may register', count, 100)
    .option('--operations-per-minute <n>', 'that one address may submit', count, 300)
    .action(async (options: RegistryOptions) => {
      try {
        await serve(options)
      } catch (error) {
        fail(true, error)
      }
    })
}

/** Says where it is on one line. To be stopped is how it ends. */
async function serve(options: RegistryOptions): Promise<void> {
  const at = await listenOnLoopback(await certificate(options), options.port).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === 'EADDRINUSE'
        ? new Usage(`port ${options.port} is taken: give another, or 0`)
        : error
    },
  )
  const store = await sqlite(options.db)
  const { namesPerDay, operationsPerMinute } = options
  const registry = createRegistry({
    store,
    limits: { namesPerDay, operationsPerMinute },
    onEvent: (event) => {
      if (event.type === 'failed') console.error(event.where, event.cause)
      if (event.type === 'did_operation')
        console.error(`${event.did}: ${event.op}, seq ${event.seq}, from ${event.address}`)
    },
  })
  const listener = toNodeListener(
    async (request, caller) =>
      (await registry.handler(request, caller)) ?? new Response(null, { status: 404 }),
  )
  for (const server of at.servers) server.on('request', listener)
  console.log(JSON.stringify({ origin: at.origin }))
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  at.close()
  await registry.close()
  await store.close()
}

async function certificate({ cert, key, caFile }: RegistryOptions): Promise<ServerCertificate> {
  if (cert !== undefined && key !== undefined) return { cert: readText(cert), key: readText(key) }
  if (cert !== undefined || key !== undefined) throw new Usage('--cert and --key go together')
  if (caFile === undefined)
    throw new Usage('--ca-file FILE, or --cert and --key: nobody could trust it otherwise')
  // It takes longer to load than every other command takes to run.
  const { makeLocalCertificates } = await import('./loopback/certificates.ts')
  const made = await makeLocalCertificates()
  writeText(caFile, made.ca)
  return made
}

function port(text: string): number {
  if (/^[0-9]+$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new InvalidArgumentError('a port is a whole number from 0 to 65535')
}

function count(text: string): number {
  if (/^[0-9]+$/.test(text) && Number(text) >= 1) return Number(text)
  throw new InvalidArgumentError('a whole number above 0')
}
