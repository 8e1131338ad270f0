import { PermissionError } from '../errors.ts'

export interface DeniedScope {
  readonly scope: string
  /** `unsupported`, `credential`, `policy`, `restriction` or `user` (ATH-6.4.1); the first is all that a literal server may lack. */
  readonly code?: string
  /** In words for a person, the server's. */
  readonly reason?: string
}

/** 403: scopes that the agent cannot do without were not granted. The user can authorize again with others. */
export class ScopesDenied extends PermissionError {
  readonly denied: readonly DeniedScope[]

  constructor(denied: readonly DeniedScope[], reason: string) {
    super('scope_denied', reason, { rule: 'ATH-6.4.1', step: 'm8' })
    this.denied = denied
  }
}

interface Denial {
  readonly scope: string
  readonly code?: string | null | undefined
  readonly reason?: string | null | undefined
}

export const deniedOf = (denied: readonly Denial[] | null | undefined): readonly DeniedScope[] =>
  (denied ?? []).map(({ scope, code, reason }) => ({
    scope,
    ...(code === null || code === undefined ? {} : { code }),
    ...(reason === null || reason === undefined ? {} : { reason }),
  }))
