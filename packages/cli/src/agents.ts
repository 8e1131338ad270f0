import { userInfo } from 'node:os'
import type { ApprovalState, ListedAgent, Operator } from 'athkit/service'
import { createOperator } from 'athkit/service'
import { visible } from 'athkit/user'
import { type Command, Option } from 'commander'
import { didIn } from './arguments.ts'
import { run } from './outcome.ts'
import { onStore, type StoreOptions, storeOf } from './store-options.ts'

interface OperatorOptions extends StoreOptions {
  readonly json?: true
}

interface DecideOptions extends OperatorOptions {
  readonly by?: string
  readonly note?: string
  readonly reason?: string
}

const STATES: readonly ApprovalState[] = ['pending', 'approved', 'suspended']

/** As the operator of a service, on its own database: who may come in. */
export function agentCommands(program: Command): void {
  const agents = program.command('agents').description('the agents that a service knows')
  onStore(agents.command('list'))
    .description('list them, those that wait for a decision among them')
    .addOption(new Option('--state <state>', 'only these').choices([...STATES]))
    .action(({ state, ...options }: OperatorOptions & { state?: ApprovalState }) =>
      run(options.json === true, () => list(options, state), listInWords),
    )
  decided(agents.command('approve <did>'))
    .description('let an agent in, also one that has not come yet, or was suspended')
    .option('--note <text>', 'for the record')
    .action((did: string, options: DecideOptions) =>
      run(
        options.json === true,
        () => approve(didIn(did), options),
        (result) => `Approved: ${result.did}`,
      ),
    )
  decided(agents.command('suspend <did>'))
    .description('shut an agent out: its grants, streams and handshakes end at once, on every node')
    .requiredOption('--reason <text>', 'for the record')
    .action((did: string, options: DecideOptions) =>
      run(
        options.json === true,
        () => suspend(didIn(did), options),
        ({ did, ended }) => `Suspended: ${did}. Grants that it had: ${ended}.`,
      ),
    )
}

const decided = (command: Command): Command =>
  onStore(command).option(
    '--by <name>',
    'who decides it, for the record; the user of this machine without it',
  )

async function list(options: OperatorOptions, state: ApprovalState | undefined) {
  return { ok: true, agents: await asOperator(options, ({ agents }) => agents.list(state)) }
}

async function approve(did: string, options: DecideOptions) {
  await asOperator(options, ({ agents }) => agents.approve(did, options.note))
  return { ok: true, did, state: 'approved' }
}

async function suspend(did: string, options: DecideOptions) {
  const ended = await asOperator(options, ({ agents }) => agents.suspend(did, options.reason ?? ''))
  return { ok: true, did, state: 'suspended', ended }
}

async function asOperator<T>(options: DecideOptions, work: (operator: Operator) => Promise<T>): Promise<T> {
  const { store, close } = await storeOf(options)
  const operator = createOperator({ store, by: options.by ?? userInfo().username })
  try {
    const result = await work(operator)
    await operator.close()
    return result
  } finally {
    await close()
  }
}

function listInWords({ agents }: { readonly agents: readonly ListedAgent[] }): string {
  if (agents.length === 0) return 'None.'
  return agents.map(lineOf).join('\n')
}

function lineOf({ did, state, since, by, note, info = {} }: ListedAgent): string {
  const known = ['name', 'developer'].flatMap((key) =>
    typeof info[key] === 'string' ? [visible(info[key])] : [],
  )
  const when = new Date(since * 1000).toISOString().replace('.000Z', 'Z')
  const who = by === undefined ? '' : ` by ${visible(by)}`
  const why = note === undefined || note === '' ? '' : `: ${visible(note)}`
  return `${state.padEnd(9)}  ${did}${known.length === 0 ? '' : `  (${known.join(', ')})`}\n           since ${when}${who}${why}`
}
