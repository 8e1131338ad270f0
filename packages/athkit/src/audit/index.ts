export { type Audit, type Begun, createAudit, type OutcomeOf } from './audit.ts'
export { BrokenChain, type ChainExpectation, verifyChain } from './chain.ts'
export {
  type AuditEntry,
  type AuditEvent,
  type AuditFact,
  type AuditHead,
  type AuditRecord,
  entryId,
} from './entry.ts'
export { type AuditDeps, type AuditOptions, auditMistakes } from './options.ts'
export { type AuditQuery, exportAudit, fits, queryAudit } from './read.ts'
export { recoverAudit } from './recovery.ts'
export { chainPartition } from './rows.ts'
export { type AuditFinding, type AuditVerdict, verifyAudit } from './verify.ts'
