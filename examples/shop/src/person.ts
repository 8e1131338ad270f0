import { createInterface } from 'node:readline/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { bindingChoices, visible } from 'athkit/user'

type Question = Parameters<typeof bindingChoices>[0] & {
  readonly requested_scopes: readonly string[]
  readonly context?: string | null | undefined
  readonly client_info: { readonly name?: unknown }
  readonly restrictions?: unknown
}

/** Milliseconds in which the others tell what led here, so that it stands above the question and not in it. */
const OTHERS_FIRST = 400

/**
 * Asks the person at the terminal: which code the agent shows, and what of it they approve. Nothing approved denies, and so does a
 * person who leaves.
 */
export async function askPerson(question: Question): Promise<readonly string[]> {
  await sleep(OTHERS_FIRST)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const choices = bindingChoices(question)
    process.stderr.write(
      `\n  ${visible(String(question.client_info.name ?? 'An agent'))} asks for access to your account.\n`,
    )
    process.stderr.write(
      `  It says: “${visible(question.context ?? '')}”\n  Limits: ${JSON.stringify(question.restrictions ?? {})}\n`,
    )
    const code = (
      await terminal.question(`  Which code does it show? ${choices.join('  ')}  (anything else denies) `)
    ).trim()
    if (code !== question.binding_code) return []
    const scopes = question.requested_scopes
    process.stderr.write(scopes.map((scope, index) => `    [${index + 1}] ${scope}\n`).join(''))
    const answer = (await terminal.question('  Approve all (Enter), deny (d), or the numbers to untick: '))
      .trim()
      .toLowerCase()
    if (answer.startsWith('d') || answer.startsWith('n')) return []
    const unticked = new Set(answer.match(/[0-9]+/g)?.map(Number) ?? [])
    return scopes.filter((_, index) => !unticked.has(index + 1))
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
    process.stderr.write('\n')
    return []
  } finally {
    terminal.close()
  }
}
