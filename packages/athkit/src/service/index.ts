export type { Agents } from './agents/agents.ts'
export type { ApprovalState, ListedAgent } from './agents/approvals.ts'
export {
  type Budget,
  type BudgetOptions,
  budget,
  type Pair,
  type Period,
  type Unsettled,
} from './budget/index.ts'
export { type ConfirmationChannel, type Delivery, walletInbox } from './channel.ts'
export type { Caller } from './context.ts'
export { createService, type Service } from './create-service.ts'
export type { Drained } from './drain.ts'
export type { Challenge, Enrolments } from './enrolment/enrolment.ts'
export { storedUsers } from './enrolment/stored-users.ts'
export type { ServiceEvent } from './events.ts'
export {
  atMost,
  checkRestriction,
  commitSpending,
  type Enforcer,
  type Enforcers,
  enforceRestriction,
  type Grant,
  grantOf,
  refusalResponse,
  requireGrant,
} from './grant-of.ts'
export type { Reply } from './handshakes.ts'
export type { Logger } from './log.ts'
export { createOperator, type Operator, type OperatorOptions } from './operator.ts'
export type {
  AgentCredentials,
  Limits,
  LinkedUsers,
  ScopeOptions,
  ServiceOptions,
  Timeouts,
  Users,
} from './options.ts'
export type { AgentRule, Policy, PolicyDecision, PolicyDocument, ScopeRule } from './policy/index.ts'
export type { Readiness } from './ready.ts'
export type { SealedBody, SealedMessage } from './sealed/index.ts'
export type { Attributes, Meter, Span, TelemetryOptions, Tracer } from './telemetry/api.ts'
export { type SignedWebhookOptions, signedWebhook, WEBHOOK_TYP } from './webhook.ts'
