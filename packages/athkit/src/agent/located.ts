import { HandshakeError, refuse } from '../errors.ts'

/** What signatures and JWTs in general have to be: of a message that holds one, the rule is its own. */
const GENERAL = new Set(['ATH-1.3', 'ATH-5.3'])

/** An error of a check that knows nothing of messages, with the message that it was made of and the rule there. */
export function located(error: unknown, step: string, rule: string): unknown {
  if (!(error instanceof HandshakeError) || error.step !== undefined || error.retryable) return error
  const isGeneral = error.rule === undefined || GENERAL.has(error.rule)
  return refuse(error.error, error.reason, { step, rule: isGeneral ? rule : error.rule, cause: error })
}
