#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { agentCommands } from './agents.ts'
import { auditCommands } from './audit.ts'
import { authorizeCommand } from './authorize.ts'
import { confirmCommand } from './confirm.ts'
import { connectCommand } from './connect.ts'
import { credentialCommand, requestAuthorizationCommand } from './credential.ts'
import { nameCommands } from './did/index.ts'
import { enrolCommand } from './enrol.ts'
import { didCommand, initCommand } from './identity.ts'
import { inspectCommand } from './inspect.ts'
import { fail } from './outcome.ts'
import { quietWhenNobodyReads } from './output.ts'
import { registryCommand } from './registry.ts'
import { resealCommand } from './reseal.ts'
import { revocationCommands } from './revoke.ts'
import { sessionCommands } from './sessions.ts'
import { STATUS, STATUS_HELP } from './status.ts'

quietWhenNobodyReads()
const { version: VERSION } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const isJson = process.argv.includes('--json')
const program = new Command('ath')
  .description('The Agent Trust Handshake, as an agent, a user, and an operator.')
  .version(VERSION, '-V, --version')
  .addHelpText('after', STATUS_HELP)
  .showHelpAfterError('ath --help, or ath COMMAND --help, says what there is.')
  .exitOverride()
  // What stands behind a subcommand is for it: `--json` above all, which `ath did` has as well.
  .enablePositionalOptions()

program.commandsGroup('For anybody:')
initCommand(program)
nameCommands(didCommand(program))
inspectCommand(program)

program.commandsGroup('As an agent:')
requestAuthorizationCommand(program)
credentialCommand(program)
connectCommand(program)
sessionCommands(program)

program.commandsGroup('As a user:')
authorizeCommand(program)
confirmCommand(program)
revocationCommands(program)
enrolCommand(program)

program.commandsGroup('As an operator:')
registryCommand(program)
agentCommands(program)
resealCommand(program)
auditCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) fail(isJson, error)
  else if (error.exitCode === 0) process.exitCode = STATUS.ok
  else {
    // In words commander has said it.
    process.exitCode = STATUS.usage
    const reason = error.message.replace(/^error: /, '')
    if (isJson) console.log(JSON.stringify({ ok: false, error: 'usage', reason }))
  }
}
// Connections that are kept would keep the process.
process.exit()
