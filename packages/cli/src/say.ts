import type { AgentGrant } from 'athkit/agent'
import { visible } from 'athkit/user'
import type { Answered } from './request-line.ts'

/** Things in words for a person. What others wrote is made visible first. */

/** Of several lines, with tabs in them. */
export const visibleLines = (text: string): string => text.replaceAll(/[^\n\t]+/g, (part) => visible(part))

export const untilInWords = (seconds: number): string =>
  `until ${new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')}`

export function restrictionsInWords(restrictions: object): string {
  const each = Object.entries(restrictions).filter(([, value]) => value !== null)
  if (each.length === 0) return 'none'
  return each
    .map(
      ([name, value]) =>
        `${visible(name)} ${visible(typeof value === 'string' ? value : JSON.stringify(value))}`,
    )
    .join('; ')
}

export function grantInWords({ scopes, denied, restrictions, expiresAt, serverDid }: AgentGrant): string {
  const lines = [
    `Connected to ${serverDid}`,
    `  granted  ${scopes.join(', ')}, ${untilInWords(expiresAt)}`,
    `  limits   ${restrictionsInWords(restrictions)}`,
    ...denied.map(({ scope, reason = '' }) => `  denied   ${visible(scope)}: ${visible(reason)}`),
  ]
  return `${lines.join('\n')}\n`
}

export function answerInWords(line: string, { status, body }: Answered): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body, null, 2)
  return `${line} → ${status}\n${visibleLines(text)}`
}
