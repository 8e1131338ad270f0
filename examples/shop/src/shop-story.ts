import type { ServiceEvent } from 'athkit/service'

/** What the shop decided, in words; undefined for what is no part of the story. */
export function storyOf(event: ServiceEvent): string | undefined {
  switch (event.type) {
    case 'handshake_started':
      return `verified that the nonce commits to this shop and to message 1; resolved ${short(event.clientDid)} to its key`
    case 'identity_proven':
      return `verified the agent's signature over our nonce: it holds the key of ${short(event.clientDid)}`
    case 'confirmation_sent':
      return "verified the user's credential and the agent's signature over message 5; asks the user on their own channel, signed"
    case 'confirmation_answered': {
      const answer = event.approved.length === 0 ? 'denied' : `approved ${event.approved.join(', ')}`
      return `verified the user's signature over question and answer: ${answer}`
    }
    case 'scopes_decided': {
      const denied = event.denied.map(({ scope, code }) => `; ${scope} denied (${code})`).join('')
      return `decided: granted ${event.granted.join(', ') || 'nothing'}${denied}`
    }
    case 'token_issued':
      return "verified the agent's signature over its ECDH share; signed an access token over the whole transcript"
    case 'session_confirmed':
      return 'opened the first sealed request: the agent holds the session’s keys'
    case 'restriction_violated':
      return `refused a request: ${event.restriction}`
    case 'session_ended':
      return 'the session has ended, its grant with it'
    default:
      return undefined
  }
}

export const short = (did: string): string => (did.length > 40 ? `${did.slice(0, 14)}…${did.slice(-4)}` : did)
