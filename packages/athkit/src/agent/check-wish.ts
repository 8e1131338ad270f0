import { areScopes } from '../handshake/index.ts'
import type { AgentContext } from './context.ts'
import type { AgentOptions, ConnectOptions } from './options.ts'

/** @throws TypeError for a mistake in the options of `connect` */
export function checkWish(
  { scopes, requiredScopes = [], ttlSeconds, keep }: ConnectOptions,
  { vault }: AgentContext,
): void {
  if (keep === true && vault === undefined) throw new TypeError('keep: a vault to keep the session in')
  if (typeof scopes !== 'function' && (scopes.length === 0 || !areScopes(scopes))) {
    throw new TypeError('scopes: some, of the form resource:action, each once')
  }
  if (typeof scopes !== 'function' && !requiredScopes.every((scope) => scopes.includes(scope))) {
    throw new TypeError('requiredScopes: only what is asked for')
  }
  if (ttlSeconds !== undefined && !(Number.isSafeInteger(ttlSeconds) && ttlSeconds > 0)) {
    throw new TypeError('ttlSeconds: whole seconds, more than 0')
  }
}

/** Says aloud what is weaker than it could be. */
export function warnOf({ trustOnFirstUse, allowPlaintextOnLoopback }: AgentOptions): void {
  if (trustOnFirstUse === true) {
    console.warn('athkit: trustOnFirstUse: whoever answers at an address is taken for its server')
  }
  if (allowPlaintextOnLoopback === true) {
    console.warn('athkit: allowPlaintextOnLoopback: http: on this machine is dialled; only for development')
  }
}
