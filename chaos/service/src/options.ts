import { parseArgs } from 'node:util'
import { KINDS, type Kind } from './databases.ts'

export interface ChaosOptions {
  readonly store: Kind
  readonly nodes: number
  readonly seconds: number
  readonly killEverySeconds: number
  readonly agents: number
}

export const CHAOS_USAGE = `Usage: npm run chaos -- --store sqlite|postgres|redis --nodes N --seconds S --kill-every K

  --store KIND      a database of its own is started on this machine (default sqlite)
  --nodes N         shops, each a process, behind one balancer (default 2)
  --seconds S       how long agents shop (default 30)
  --kill-every K    seconds between two kill -9, each of the next node in turn (default 4)
  --agents N        agents that shop at a time, each with a user of its own (default 4)`

/** @throws Error with a sentence for the person at the terminal */
export function parseChaosOptions(args: readonly string[]): ChaosOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      store: { type: 'string', default: 'sqlite' },
      nodes: { type: 'string', default: '2' },
      seconds: { type: 'string', default: '30' },
      'kill-every': { type: 'string', default: '4' },
      agents: { type: 'string', default: '4' },
    },
  })
  const store = KINDS.find((kind) => kind === values.store)
  if (store === undefined) throw new Error(`--store is one of ${KINDS.join(', ')}`)
  return {
    store,
    nodes: count('nodes', values.nodes, 16),
    seconds: count('seconds', values.seconds, 3600),
    killEverySeconds: count('kill-every', values['kill-every'], 3600),
    agents: count('agents', values.agents, 64),
  }
}

function count(name: string, text: string, most: number): number {
  const number = Number(text)
  if (!/^[0-9]+$/.test(text) || number < 1 || number > most) {
    throw new Error(`--${name} is a whole number from 1 to ${most}`)
  }
  return number
}
