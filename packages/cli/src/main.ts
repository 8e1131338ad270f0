#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { authorizeCommands } from './authorize.ts'
import { confirmCommand } from './confirm.ts'
import { connectCommand } from './connect.ts'
import { identityCommands, ownDid } from './identity.ts'
import { failureOf, run, STATUS, STATUS_HELP } from './outcome.ts'

const program = new Command('ath')
  .description('The Agent Trust Handshake, as an agent and as a user.')
  .addHelpText('after', STATUS_HELP)
  .exitOverride()

identityCommands(program)
program
  .command('did')
  .description('print one’s own DID')
  .option('--json')
  .action(({ json }: { json?: true }) => run(json === true, () => ownDid(json === true)))
authorizeCommands(program)
connectCommand(program)
confirmCommand(program)

for (const command of [program, ...program.commands]) command.exitOverride()
try {
  await program.parseAsync()
} catch (error) {
  // commander has said what was wrong with the command line; what an option's parser found, it has not.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? STATUS.ok : STATUS.usage
  else {
    console.error(`ath: ${failureOf(error).reason}`)
    process.exitCode = STATUS.usage
  }
}
// Connections that are kept would keep the process.
process.exit()
