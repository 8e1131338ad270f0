import type { JsonObject } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'
import { HandshakeError } from '../errors.ts'
import { type Anchor, SERVER_CHECKS, type ServerCheck } from '../handshake/index.ts'
import type { Pending } from './options.ts'

export type SentMessage = 'm1' | 'm3' | 'm5' | 'm9a'
export type VerifiedMessage = 'm2' | 'm4' | '202' | 'm8' | 'm9b'

/** One check that a message passed. */
export interface Check {
  readonly name: string
  readonly rule: string
}

/** What happened, for a program that shows the steps to a person. No credential, token or key is in it. */
export type AgentEvent =
  | {
      readonly type: 'sent'
      readonly message: SentMessage
      readonly content: JsonObject
      readonly signs?: string
    }
  | {
      readonly type: 'verified'
      readonly message: VerifiedMessage
      readonly content: JsonObject
      readonly checks: readonly Check[]
      /** With m2: what vouches for the server. */
      readonly anchored?: Anchor
    }
  | {
      /** A message of the server's that did not pass: nothing was signed or used after it. */
      readonly type: 'refused'
      readonly message: VerifiedMessage
      readonly error: string
      readonly reason: string
      /** The check that failed. */
      readonly check: Check
      /** With m2: those that had passed before it. */
      readonly passed?: readonly Check[]
    }
  | ({ readonly type: 'waiting' } & Pending)
  | { readonly type: 'retrying'; readonly reason: string; readonly milliseconds: number }
  | { readonly type: 'rotated'; readonly epoch: number }
  | { readonly type: 'renewed'; readonly expiresAt: number }
  | { readonly type: 'reconnected' }
  | { readonly type: 'closed' }

/** What a client's own signature in a message covers (ATH-6.1.3, ATH-6.2.2, ATH-6.5.1). */
export const SIGNS: ReadonlyMap<SentMessage, string> = new Map([
  ['m3', 'the nonce of m2'],
  ['m5', 'm5, the audience, and the hash of m1 to m3'],
  ['m9a', 'm9a, the audience, the hash of m1 to m3 and of m5'],
])

const check = (name: string, rule: string): Check => ({ name, rule })
const SHAPE = check('shape', 'ATH-1.1')
const CLOCK = check('timestamp within 300 s', 'ATH-6')

/** The checks behind each message; of m2, in the order in which they are made. */
export const CHECKS: ReadonlyMap<VerifiedMessage, readonly Check[]> = new Map<
  VerifiedMessage,
  readonly Check[]
>([
  ['m2', SERVER_CHECKS],
  ['m4', [SHAPE, CLOCK, check('our identity was accepted', 'ATH-6.1.7')]],
  ['202', [SHAPE, CLOCK, check('deadline of at most 600 s', 'ATH-6.3.3')]],
  [
    'm8',
    [
      SHAPE,
      CLOCK,
      check('nothing beyond the request and the credential', 'ATH-6.4.1'),
      check('lifetime within bounds', 'ATH-6.4.2'),
      check('the user answered the question announced', 'ATH-6.4.1'),
    ],
  ],
  [
    'm9b',
    [
      SHAPE,
      CLOCK,
      check('algorithms are those of m9a', 'ATH-2.2'),
      check('token signed by the key of m2', 'ATH-6.5.3'),
      check('every claim is what the handshake said', 'ATH-6.5.4'),
      check('transcript of all messages', 'ATH-6.5.2'),
      check('session id computed alike', 'ATH-6.5.5'),
    ],
  ],
])

/** By the step that an error names. */
const MESSAGE_OF: ReadonlyMap<string, VerifiedMessage> = new Map([
  ['m2', 'm2'],
  ['m4', 'm4'],
  ['authorization_pending', '202'],
  ['m8', 'm8'],
  ['m9b', 'm9b'],
])

const SECRET = new Set(['access_token', 'credential', 'credentials'])
const LEFT_OUT = '(left out)'

/** A message as it may be shown and logged. */
export function shown(message: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(message).map(([name, value]) => [
      name,
      SECRET.has(name) ? LEFT_OUT : isObject(value) ? shown(value) : value,
    ]),
  )
}

export interface Narrator {
  sent(message: SentMessage, content: JsonObject): void
  verified(message: VerifiedMessage, content: JsonObject, anchored?: Anchor): void
  /** For what failed that is not the server's fault, nothing is told. @param passed the checks of m2 before the one that failed */
  refused(error: unknown, passed?: readonly ServerCheck[]): void
  tell(event: AgentEvent): void
}

export function createNarrator(onStep: ((event: AgentEvent) => void) | undefined): Narrator {
  const tell = (event: AgentEvent): void => onStep?.(event)
  return {
    tell,
    sent(message, content) {
      const signs = SIGNS.get(message)
      tell({ type: 'sent', message, content: shown(content), ...(signs === undefined ? {} : { signs }) })
    },
    verified(message, content, anchored) {
      const checks = CHECKS.get(message) ?? []
      const more = anchored === undefined ? {} : { anchored }
      tell({ type: 'verified', message, content: shown(content), checks, ...more })
    },
    refused(error, passed) {
      if (!(error instanceof HandshakeError) || error.rule === undefined) return
      const message = MESSAGE_OF.get(error.step ?? '')
      if (message === undefined) return
      const { rule, reason } = error
      const checks = CHECKS.get(message) ?? []
      const failed = passed === undefined ? checks.find((one) => one.rule === rule) : checks[passed.length]
      const before = passed === undefined ? {} : { passed: checks.slice(0, passed.length) }
      tell({
        type: 'refused',
        message,
        error: error.error,
        reason,
        check: failed ?? { name: reason, rule },
        ...before,
      })
    },
  }
}
