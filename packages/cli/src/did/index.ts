import type { Command } from 'commander'
import { addKeyCommand } from './add-key.ts'
import { deactivateCommand } from './deactivate.ts'
import { historyCommand } from './history.ts'
import { registerCommand } from './register.ts'
import { removeKeyCommand } from './remove-key.ts'
import { resolveCommand } from './resolve.ts'
import { rotateCommand } from './rotate.ts'
import { verifyCommand } from './verify.ts'
import { webCommand } from './web.ts'

/** `ath did …`: a name in a registry, from its first operation to its last, or a page on the web. */
export function nameCommands(did: Command): void {
  for (const add of [
    registerCommand,
    resolveCommand,
    addKeyCommand,
    removeKeyCommand,
    rotateCommand,
    deactivateCommand,
    historyCommand,
    verifyCommand,
    webCommand,
  ]) {
    add(did)
  }
}
