import type { AgentEvent } from 'athkit/agent'
import type { Say } from './narrator.ts'

const SENT: Record<string, readonly [step: string, text: string]> = {
  m1: ['1', 'who I am, what I can do, and a nonce that commits to whom I dialled'],
  m3: ['3', 'the proof that I hold my key'],
  m5: ['5', 'the scopes I ask for, with the user’s credential'],
  m9a: ['9', 'my ephemeral ECDH share'],
}
const VERIFIED: Record<string, readonly [step: string, text: string]> = {
  m2: ['2', 'the shop’s identity'],
  m4: ['4', 'the shop accepts my identity and says what it offers'],
  '202': ['', 'the shop asks the user'],
  m8: ['8', 'the decision'],
  m9b: ['9', 'the shop’s share and the access token'],
}

/** Tells each message: what it is, what was signed, what was verified. */
export const assistantStory =
  (say: Say) =>
  (event: AgentEvent): void => {
    if (event.type === 'sent') {
      const [step, text] = SENT[event.message] ?? ['', event.message]
      say(`→ shop: ${text}${event.signs === undefined ? '' : ` · signed by the agent: ${event.signs}`}`, step)
    } else if (event.type === 'verified') {
      const [step, text] = VERIFIED[event.message] ?? ['', event.message]
      const checks = event.checks.map(({ name, rule }) => `${name} (${rule})`).join(', ')
      say(`← shop: ${text} · verified: ${checks}`, step)
    } else if (event.type === 'waiting') {
      say(`waits for the user; shows the code ${event.bindingCode}`)
    }
  }
