import * as v from 'valibot'
import { parseDid } from '../../did/did.ts'
import { HandshakeError } from '../../errors.ts'
import { joinRestrictions } from '../../token/restrictions.ts'
import type { ServiceContext } from '../context.ts'
import type { AgentRule, PolicyDocument } from './policy.ts'
import { restrictionsIn } from './rules.ts'

const seconds = v.pipe(v.number(), v.integer(), v.minValue(1))
const restrictions = v.record(v.string(), v.any())
const scopeRule = v.strictObject({
  allow: v.optional(v.boolean()),
  skipUserConfirmation: v.optional(v.boolean()),
  maxTtlSeconds: v.optional(seconds),
  restrictions: v.optional(restrictions),
})
const agentRule = v.strictObject({
  allow: v.optional(v.boolean()),
  maxTtlSeconds: v.optional(seconds),
  restrictions: v.optional(restrictions),
  scopes: v.optional(v.record(v.string(), scopeRule)),
})
const shape = v.strictObject({
  approval: v.optional(v.literal('required')),
  everyone: v.optional(agentRule),
  agents: v.optional(v.record(v.string(), agentRule)),
  others: v.optional(agentRule),
})

/** What a policy is checked against. */
export type Known = Pick<ServiceContext, 'scopes' | 'restrictions' | 'enforced' | 'budgets'>

/**
 * A policy, checked whole: a member that is misspelt, a scope that is not offered or a restriction that nobody enforces would each be
 * a rule that nobody applies.
 *
 * @throws TypeError that says where, and what to do
 */
export function checkPolicyDocument(given: unknown, known: Known): PolicyDocument {
  if (Array.isArray(given)) throw wrong('', 'it is an object')
  const parsed = v.safeParse(shape, given)
  if (!parsed.success) {
    const [issue] = parsed.issues
    throw wrong(pathOf(issue), issue.message)
  }
  const document = parsed.output as PolicyDocument
  for (const [did, rule] of Object.entries(document.agents ?? {})) {
    if (!isDid(did)) throw wrong('agents', `${JSON.stringify(did)} is no DID`)
    checkRule(rule, `agents.${did}`, known)
  }
  if (document.everyone !== undefined) checkRule(document.everyone, 'everyone', known)
  if (document.others !== undefined) checkRule(document.others, 'others', known)
  const all = [document.others, ...Object.values(document.agents ?? {})]
  for (const rule of all) checkTogether([document.everyone, rule], known)
  return document
}

function checkRule({ restrictions = {}, scopes = {} }: AgentRule, at: string, known: Known): void {
  checkRestrictions(restrictions, at, known)
  for (const [scope, rule] of Object.entries(scopes)) {
    if (!known.scopes.has(scope)) throw wrong(`${at}.scopes`, `${JSON.stringify(scope)} is not offered here`)
    checkRestrictions(rule.restrictions ?? {}, `${at}.scopes.${scope}`, known)
  }
}

function checkRestrictions(given: NonNullable<AgentRule['restrictions']>, at: string, known: Known): void {
  for (const [name, value] of Object.entries(given)) {
    const where = `${at}.restrictions`
    if (!known.enforced.includes(name)) {
      throw wrong(where, `nobody enforces ${name}; register it in the service's enforcers (ATH-6.4.3)`)
    }
    const isUnread = known.budgets.get(name)?.limitsOf(value) === undefined && known.budgets.has(name)
    if (isUnread || joinRestrictions({ [name]: value }, {}, known.enforced) === 'denied') {
      throw wrong(where, `${name} has a value that cannot be enforced (ATH-6.4.3)`)
    }
  }
}

/** Rules that contradict each other would let nobody in, and nobody would know why. */
function checkTogether(rules: readonly (AgentRule | undefined)[], known: Known): void {
  const present = rules.filter((rule) => rule !== undefined)
  const scopes = new Set(present.flatMap(({ scopes = {} }) => Object.keys(scopes)))
  for (const scope of [undefined, ...scopes]) {
    if (restrictionsIn(known, present, scope) !== 'denied') continue
    const about = scope === undefined ? 'restrictions' : `the restrictions of ${scope}`
    throw wrong('', `${about} cannot be kept together with those of everyone and of the service (ATH-6.4.3)`)
  }
}

function isDid(text: string): boolean {
  try {
    return parseDid(text).did === text
  } catch (error) {
    if (error instanceof HandshakeError) return false
    throw error
  }
}

const pathOf = (issue: v.BaseIssue<unknown>): string =>
  (issue.path ?? []).map(({ key }) => String(key)).join('.')

const wrong = (where: string, what: string) =>
  new TypeError(`policy${where === '' ? '' : `.${where}`}: ${what}`)
