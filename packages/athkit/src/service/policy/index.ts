export { createPolicies, type Policies } from './policies.ts'
export {
  type AgentRule,
  isDenied,
  type Policy,
  type PolicyDecision,
  type PolicyDocument,
  ruleOf,
  type ScopeRule,
  shortest,
  strictest,
} from './policy.ts'
