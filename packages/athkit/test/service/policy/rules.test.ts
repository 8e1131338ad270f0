import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AgentRule, PolicyDocument, ScopeRule } from '../../../src/service/index.ts'
import { ruleOf } from '../../../src/service/policy/index.ts'
import { compile, decisionFor } from '../../../src/service/policy/rules.ts'
import { atLeastAsStrict, BUILT_IN } from '../../../src/token/restrictions.ts'

const enforced = [...BUILT_IN, 'order_amount_limit']
const SCOPES = ['goods:read', 'order:create']
const DID = 'did:ath:assistant'

const restrictions = fc.record(
  {
    order_amount_limit: fc.nat({ max: 3 }),
    rate_limit: fc.constantFrom('1/second', '60/minute', '5/second, 100/hour'),
    ip_whitelist: fc.constantFrom(['10.0.0.0/8'], ['10.1.0.0/16', '192.0.2.0/24'], ['0.0.0.0/0']),
  },
  { requiredKeys: [] },
)
const common = {
  allow: fc.boolean(),
  maxTtlSeconds: fc.integer({ min: 1, max: 5 }),
  restrictions,
}
const scopeRule = fc.record({ ...common, skipUserConfirmation: fc.boolean() }, { requiredKeys: [] })
const scopes = fc.record({ 'goods:read': scopeRule, 'order:create': scopeRule }, { requiredKeys: [] })
const rule = fc.record({ ...common, scopes }, { requiredKeys: [] }) as fc.Arbitrary<AgentRule>
const optional = fc.option(rule, { nil: undefined })

describe('what a policy says of an agent', () => {
  test('is never looser than any rule about it, and says nothing that no rule says', () => {
    fc.assert(
      fc.property(optional, optional, optional, (everyone, own, others) => {
        const document: PolicyDocument = {
          everyone,
          others,
          ...(own === undefined ? {} : { agents: { [DID]: own } }),
        }
        const compiled = compile(document, enforced)
        const decision = decisionFor(compiled, DID)
        const rules = [everyone, own ?? others].filter((each) => each !== undefined)
        expect(decision.allow).toBe(rules.every(({ allow }) => allow !== false))
        expect(compiled.denies(DID)).toBe(!decision.allow)
        bounds(decision, rules)
        for (const scope of SCOPES) {
          const about = rules.flatMap(({ scopes = {} }) => scopes[scope] ?? [])
          const joined = ruleOf(decision, scope)
          bounds(joined, about)
          for (const [member, weak] of [
            ['allow', true],
            ['skipUserConfirmation', true],
          ] as const) {
            const said = about.map((each) => each[member])
            expect(joined[member] === weak).toBe(said.includes(weak) && !said.includes(!weak))
            expect(joined[member] === undefined).toBe(said.every((each) => each === undefined))
          }
        }
      }),
      { numRuns: 300, seed: 48 },
    )
  })
})

type Bounding = Pick<ScopeRule, 'maxTtlSeconds' | 'restrictions'>

function bounds(joined: Bounding, rules: readonly Bounding[]): void {
  const ttls = rules.flatMap(({ maxTtlSeconds }) => maxTtlSeconds ?? [])
  expect(joined.maxTtlSeconds).toBe(ttls.length === 0 ? undefined : Math.min(...ttls))
  for (const { restrictions = {} } of rules) {
    expect(atLeastAsStrict(joined.restrictions ?? {}, restrictions)).toBe(true)
  }
}
