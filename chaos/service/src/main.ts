/** `npm run chaos`: shops under load that are killed again and again. Prints one line of JSON. */
import { CHAOS_USAGE, parseChaosOptions } from './options.ts'
import { runChaos } from './run.ts'

try {
  const args = process.argv.slice(2)
  if (args.includes('--help')) console.log(CHAOS_USAGE)
  else {
    const counts = await runChaos(parseChaosOptions(args), console.error)
    console.log(JSON.stringify(counts))
    const { orders_lost, orders_doubled, replays_accepted, unclear_errors, orders } = counts
    const audit = counts.audit_entries_lost + counts.audit_findings
    const isWrong =
      orders_lost + orders_doubled + replays_accepted + unclear_errors + audit > 0 || orders === 0
    process.exitCode = isWrong ? 1 : 0
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
