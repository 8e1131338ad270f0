import { isCancel, multiselect, select } from '@clack/prompts'
import { bindingChoices, visible } from 'athkit/user'
import { restrictionsInWords, untilInWords } from './say.ts'
import { Interrupted } from './trouble.ts'

/** What of a verified question is shown. */
export type Question = Parameters<typeof bindingChoices>[0] & {
  readonly requested_scopes: readonly string[]
  readonly scope_descriptions?: unknown
  readonly client_did: string
  readonly client_info: { readonly name?: unknown }
  readonly context?: string | null | undefined
  readonly restrictions?: object | null | undefined
  readonly ttl?: number | null | undefined
  readonly expires_at: number
}

/** A question as a person reads it before they answer (ATH-6.3.1): the limits in plain sight, the agent's own words marked as such. */
export function questionInWords(question: Omit<Question, 'binding_code'>): string {
  const { client_info, client_did, requested_scopes, context, restrictions, ttl, expires_at } = question
  const lines = [
    '',
    `${visible(String(client_info.name ?? 'An agent'))} (${client_did}) asks for access.`,
    `  To        ${requested_scopes.join(', ')}`,
    ...(context ? [`  It says   “${visible(context)}” (its own words, checked by nobody)`] : []),
    `  Limits    ${restrictionsInWords(restrictions ?? {})}`,
    `  For       ${ttl === undefined || ttl === null ? 'as long as the service allows' : `${ttl} s`}`,
    `  Answer    ${untilInWords(expires_at)}`,
    '',
  ]
  return lines.join('\n')
}

/**
 * The person picks the code that the agent shows among three, then what of it they approve.
 *
 * @returns the scopes approved; none denies
 * @throws Interrupted when they leave: nothing is answered then
 */
export async function askPerson(question: Question): Promise<readonly string[]> {
  const output = process.stderr
  console.error(questionInWords(question))
  const none = 'none of these'
  const code = await select({
    message: 'Which code does the agent show? Any but the right one denies.',
    options: [...bindingChoices(question), none].map((value) => ({ value, label: value })),
    output,
  })
  if (isCancel(code)) throw new Interrupted('SIGINT')
  if (code !== question.binding_code) return []
  const scopes = await multiselect({
    message: 'What may it do? Space unticks, Enter confirms; nothing denies.',
    options: question.requested_scopes.map((value) => ({ value, label: labelOf(value, question) })),
    initialValues: [...question.requested_scopes],
    required: false,
    output,
  })
  if (isCancel(scopes)) throw new Interrupted('SIGINT')
  return scopes
}

function labelOf(scope: string, { scope_descriptions }: Question): string {
  const description = (scope_descriptions as Record<string, unknown> | null | undefined)?.[scope]
  return typeof description === 'string' ? `${scope}  ${visible(description)}` : scope
}
