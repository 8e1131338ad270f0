import { decodeJwt, type Json, type JsonObject, REFUSED_HEADERS } from 'athkit/crypto'
import { HandshakeError, refuse } from 'athkit/errors'
import { type Finding, Findings } from './findings.ts'
import { kindOfJwt, kindOfMessage } from './kinds.ts'
import type { Known } from './known.ts'
import type { Thing } from './read.ts'
import { inspectSealed } from './sealed.ts'

/** One thing that was looked at. No token and no credential stands in it whole. */
export interface Item {
  readonly kind: string
  readonly title: string
  /** The kind of what it stood in. */
  readonly within?: string
  readonly content: object
  readonly findings: readonly Finding[]
}

/** Looks at a thing, and at what stands in it. */
export async function look(thing: Thing, known: Known, within?: string): Promise<readonly Item[]> {
  const findings = new Findings()
  const inner: Item[] = []
  const item = (kind: string, title: string, content: object): readonly Item[] => [
    { kind, title, ...(within === undefined ? {} : { within }), content, findings: findings.list },
    ...inner,
  ]
  const placeIn = (kind: string) => ({
    findings,
    known,
    nest: async (part: Json) => {
      if (typeof part === 'string' || (typeof part === 'object' && part !== null))
        inner.push(...(await look(part as Thing, known, kind)))
    },
  })

  if (thing instanceof Uint8Array) {
    const content = await inspectSealed(thing, findings)
    return item('sealed', 'sealed bytes', content)
  }
  if (typeof thing === 'string') {
    const jwt = await findings.judge('JWT of three parts', 'ATH-5.3', () => decodeJwt(thing))
    if (jwt === undefined) return item('jwt', 'JWT', {})
    await findings.judge('header brings no key and no rules along', 'ATH-2.3', () => checkHeader(jwt.header))
    const { kind, title, inspect } = kindOfJwt(jwt.header.typ)
    await guarded(findings, () => inspect(thing, jwt.claims, placeIn(kind)))
    return item(kind, title, { header: jwt.header, claims: jwt.claims })
  }
  const found = kindOfMessage(thing)
  if (found === undefined) {
    findings.hold(
      'is a message of the protocol',
      'ATH-1.1',
      false,
      'malformed_message',
      'its type is none of them',
    )
    return item('unknown', 'unknown', shown(thing))
  }
  const { kind, title, inspect } = found
  await guarded(findings, () => inspect(thing, placeIn(kind)))
  return item(kind, title, shown(thing))
}

/** What an inspector runs into outside its checks, such as a DID that is none, is a finding as well. */
async function guarded(findings: Findings, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    findings.hold('can be judged', error.rule ?? 'ATH-1.1', false, error.error, error.reason)
  }
}

function checkHeader(header: JsonObject): void {
  if (header.alg !== 'ES256' && header.alg !== 'EdDSA') throw refuse('signature_invalid', 'another algorithm')
  const refused = REFUSED_HEADERS.find((name) => Object.hasOwn(header, name))
  if (refused !== undefined) throw refuse('signature_invalid', `${refused} is refused`)
}

const BELOW = new Set(['access_token', 'credential', 'credentials'])

/** What is looked at by itself is not shown twice, and a token not whole. */
const shown = (message: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(message).map(([name, value]) => [
      name,
      BELOW.has(name)
        ? '(below)'
        : typeof value === 'object' && value !== null && !Array.isArray(value)
          ? shown(value as JsonObject)
          : value,
    ]),
  )
