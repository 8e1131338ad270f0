/** `npm run chaos:agent -- --help` */
import { parseArgs } from 'node:util'
import { heapAfter } from './heap.ts'
import { load } from './load.ts'
import { runMany } from './runs.ts'

const USAGE = `Usage: npm run chaos:agent -- [runs|load|heap] [options]

  runs   an agent and a shop with a proxy between them that harms messages (the default)
         --runs N (1000)  --seed N (0)  --at-once N (16)  --verbose
  load   sealed requests all at a time, while the keys change
         --requests N (10000)  --rotations N (3)
  heap   what an agent holds after 10 % of its requests, and on to all of them
         --requests N (100000)`

const text = { type: 'string' } as const
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: text,
    seed: text,
    'at-once': text,
    requests: text,
    rotations: text,
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const number = (value: string | undefined, otherwise: number) =>
  value === undefined ? otherwise : Number(value)
// That plaintext is allowed is meant here.
console.warn = () => undefined

const commands: Record<string, () => Promise<boolean>> = {
  async runs() {
    const first = number(values.seed, 0)
    const seeds = Array.from({ length: number(values.runs, 1000) }, (_, i) => first + i)
    const started = performance.now()
    const summary = await runMany(seeds, number(values['at-once'], 16), (seed, { ended, faults }) => {
      if (values.verbose)
        console.error(`${seed}: ${ended}${faults.map((fault) => `\n    ${fault}`).join('')}`)
    })
    const seconds = Math.round((performance.now() - started) / 1000)
    console.log(
      `${summary.runs} runs, ${summary.faults} faults, ${summary.orders} orders placed, ${seconds} s`,
    )
    for (const [name, count] of [...summary.ended].sort(([, a], [, b]) => b - a))
      console.log(`  ${name}: ${count}`)
    console.log(`violations: ${summary.violations.length}`)
    for (const violation of summary.violations) console.log(`  ${violation}`)
    return summary.violations.length === 0
  },
  async load() {
    const requests = number(values.requests, 10_000)
    const rotations = number(values.rotations, 3)
    const { answered, orders, strangers, epochs, seconds } = await load(requests, rotations)
    const placed = new Set(orders).size
    console.log(
      `${answered} of ${requests} answered, ${placed} orders, ${orders.length - placed} of them twice`,
    )
    console.log(
      `epochs ${epochs.join(', ')}; ${seconds.toFixed(1)} s, ${Math.round(requests / seconds)} a second`,
    )
    return answered === requests && orders.length === requests && placed === requests && strangers === 0
  },
  async heap() {
    const requests = number(values.requests, 100_000)
    const measureAt = [0.1, 0.25, 0.5, 0.75, 1].map((part) => part * requests)
    const heaps = await heapAfter(measureAt)
    for (const [i, bytes] of heaps.entries())
      console.log(`after ${measureAt[i]} requests ${(bytes / 2 ** 20).toFixed(2)} MiB`)
    const growth = ((heaps.at(-1) ?? 0) / (heaps[0] ?? 0) - 1) * 100
    console.log(`growth from the first to the last: ${growth.toFixed(2)} %`)
    return growth < 5
  },
}

const command = commands[positionals[0] ?? 'runs']
if (values.help || command === undefined) {
  console.log(USAGE)
  process.exit(command === undefined ? 2 : 0)
}
process.exit((await command()) ? 0 : 1)
