import { AthError, HandshakeError, IdentityError, PermissionError } from 'athkit/errors'

/** Exit statuses, by what went wrong; `ath --help` says them. */
export const STATUS = {
  ok: 0,
  internal: 1,
  usage: 2,
  identity: 3,
  permission: 4,
  transport: 5,
  refused: 6,
} as const

export const STATUS_HELP = `
Exit status: 0 done · 1 a mistake of this program · 2 wrong usage · 3 who somebody is was not established (401)
             4 not allowed (403) · 5 nobody answers · 6 anything else that was refused

ATH_VAULT names the vault file (default: ~/.athkit/vault); ATH_PASSPHRASE or ATH_VAULT_KEY opens it.`

/** What the person at the keyboard got wrong. */
export class Usage extends Error {
  override readonly name = 'Usage'
}

export interface Failure {
  readonly ok: false
  readonly error: string
  /** Of the profile, that was broken. */
  readonly rule?: string
  readonly reason: string
}

export function failureOf(error: unknown): Failure {
  if (error instanceof HandshakeError) {
    return { ok: false, error: error.error, ...ruleOf(error), reason: error.reason }
  }
  if (error instanceof AthError) {
    return { ok: false, error: error.trouble, ...ruleOf(error), reason: reasonOf(error) }
  }
  if (error instanceof Usage || error instanceof TypeError) {
    return { ok: false, error: 'usage', reason: error.message }
  }
  return { ok: false, error: 'internal', reason: error instanceof Error ? error.message : String(error) }
}

const ruleOf = ({ rule }: { readonly rule?: string | undefined }) => (rule === undefined ? {} : { rule })

/** With what lies behind it: a certificate that is not trusted, a connection that was refused. */
function reasonOf({ message, cause }: AthError): string {
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? `${message} (${code})` : message
}

export function statusOf(error: unknown): number {
  if (error instanceof IdentityError) return STATUS.identity
  if (error instanceof PermissionError) return STATUS.permission
  if (error instanceof HandshakeError) return STATUS.refused
  if (error instanceof AthError)
    return error.trouble === 'transport_failed' ? STATUS.transport : STATUS.refused
  return error instanceof Usage || error instanceof TypeError ? STATUS.usage : STATUS.internal
}

/** Runs a command: its result or its failure is the last line on standard output; for people, the failure is a sentence. */
export async function run(isJson: boolean, work: () => Promise<object | string>): Promise<void> {
  try {
    const result = await work()
    console.log(isJson && typeof result !== 'string' ? JSON.stringify(result) : textOf(result))
  } catch (error) {
    const failure = failureOf(error)
    if (isJson) console.log(JSON.stringify(failure))
    else
      console.error(
        `ath: ${failure.error}: ${failure.reason}${failure.rule === undefined ? '' : ` (${failure.rule})`}`,
      )
    process.exitCode = statusOf(error)
  }
}

const textOf = (result: object | string): string =>
  typeof result === 'string' ? result : JSON.stringify(result, null, 2)
