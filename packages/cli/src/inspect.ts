import { refuse } from 'athkit/errors'
import { visible } from 'athkit/user'
import type { Command } from 'commander'
import { originIn, unixSeconds } from './arguments.ts'
import { readBytes } from './files.ts'
import type { Finding } from './inspect/findings.ts'
import { knownFrom } from './inspect/given.ts'
import { type Item, look } from './inspect/look.ts'
import { thingsIn } from './inspect/read.ts'
import { asJson, ofServer } from './options.ts'
import { run } from './outcome.ts'
import { Unfinished } from './trouble.ts'

interface InspectOptions {
  readonly audience?: string
  readonly server?: string
  readonly at?: number
  readonly json?: true
}

export function inspectCommand(program: Command): void {
  program
    .command('inspect [files...]')
    .description('decode messages, credentials, tokens and sealed bytes, and say rule by rule what verifies')
    .option('--audience <url>', 'the origin that was dialled', originIn)
    .addOption(ofServer('the DID that the server is known by'))
    .option('--at <s>', 'judge as of then, in Unix seconds; now without it', unixSeconds)
    .addOption(asJson())
    .addHelpText('after', HELP)
    .action((files: string[], options: InspectOptions) =>
      run(
        options.json === true,
        () => inspect(files, options),
        () => undefined,
      ),
    )
}

const HELP = `
Without a file, standard input. A file holds a message, a flight of them, one message a line, a JWT, or sealed bytes (also
in hex or base64url). What is given together is context to each other: all messages of one handshake, and the DID documents
of named parties. Nothing is asked of anybody: a check that takes more is left open, and says what it takes.
Exit status 0: nothing is broken. Otherwise that of the first check that does not hold.`

async function inspect(files: readonly string[], { audience, server, at, json }: InspectOptions) {
  const things = (files.length === 0 ? ['-'] : files).flatMap((file) => thingsIn(readBytes(file), file))
  const now = at ?? Math.floor(Date.now() / 1000)
  const known = knownFrom(things, { now, audience, serverDid: server })
  const items = (await Promise.all(things.map((thing) => look(thing, known)))).flat()
  if (json !== true) for (const item of items) console.log(`${inWords(item)}\n`)
  const broken = items.flatMap(({ findings }) => findings).find(({ verdict }) => verdict === 'broken')
  if (broken !== undefined) throw new Unfinished(refusalOf(broken), { items })
  return { ok: true, items }
}

function refusalOf({ check, rule, why = '', error = 'malformed_message' }: Finding): Error {
  const name = error === 'peer_violation' ? 'malformed_message' : error
  return refuse(name, `${check}: ${why}`, { rule })
}

const SIGN = { holds: '✓', broken: '✗', open: '?' } as const

function inWords({ kind, title, within, content, findings }: Item): string {
  const width = Math.max(0, ...findings.map(({ check }) => check.length))
  const lines = findings.map(
    ({ check, rule, verdict, why }) =>
      `  ${SIGN[verdict]} ${check.padEnd(width)}  ${rule}${why === undefined ? '' : `  ${visible(why)}`}`,
  )
  const place = within === undefined ? '' : ` in ${within}`
  const text = JSON.stringify(content, null, 2)
    .split('\n')
    .map((line) => `  ${visible(line)}`)
  return [`${kind}  ${title}${place}`, ...lines, ...text].join('\n')
}
