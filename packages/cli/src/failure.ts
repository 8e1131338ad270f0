import { type DeniedScope, ScopesDenied } from 'athkit/agent'
import { AthError, HandshakeError } from 'athkit/errors'
import { adviceOn } from './advice.ts'
import { Interrupted, NoQuestion, NoSession, NoVault, Unfinished, Usage } from './trouble.ts'

export interface Failure {
  readonly ok: false
  /** Of the protocol's table, of the library's local troubles, or of this program alone. */
  readonly error: string
  /** Of the profile, that the other side broke. */
  readonly rule?: string
  readonly reason: string
  readonly denied?: readonly DeniedScope[]
  /** The other side's own words, such as what is left of a limit. */
  readonly said?: string
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Unfinished) return { ...failureOf(error.cause), ...error.done }
  if (error instanceof ScopesDenied) {
    // To say no is nobody's breach.
    return { ok: false, error: error.error, reason: error.reason, denied: error.denied }
  }
  if (error instanceof HandshakeError) {
    const said = error.hint === undefined ? {} : { said: error.hint }
    return { ok: false, error: error.error, ...ruleOf(error), reason: error.reason, ...said }
  }
  if (error instanceof AthError) {
    return { ok: false, error: error.trouble, ...ruleOf(error), reason: reasonOf(error) }
  }
  return { ok: false, error: nameOf(error), reason: error instanceof Error ? error.message : String(error) }
}

/** In words for a person: what happened, and what to do next. */
export function sentencesOf(error: unknown): string {
  const { reason, rule, error: name, said } = failureOf(error)
  const what = name === 'usage' ? reason : `${name}: ${reason}`
  const next = adviceOn(error)
  const lines = [said === undefined ? undefined : `The service says: ${said}`, next]
  const more = lines.map((line) => (line === undefined ? '' : `\n     ${line}`)).join('')
  return `ath: ${what}${rule === undefined ? '' : ` (${rule})`}${more}`
}

function nameOf(error: unknown): string {
  if (error instanceof Usage || error instanceof TypeError) return 'usage'
  if (error instanceof Interrupted) return 'interrupted'
  if (error instanceof NoQuestion) return 'no_question'
  if (error instanceof NoSession) return 'session_missing'
  return error instanceof NoVault ? 'vault_missing' : 'internal'
}

const ruleOf = ({ rule }: { readonly rule?: string | undefined }) => (rule === undefined ? {} : { rule })

/** With what lies behind it: a certificate that is not trusted, a connection that was refused. */
function reasonOf({ message, cause }: AthError): string {
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? `${message} (${code})` : message
}
