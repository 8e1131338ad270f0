import { hash } from '../crypto/jcs.ts'
import type { Json, JsonObject } from '../crypto/json.ts'
import { isObject } from '../crypto/shape.ts'
import { claimsOf } from '../handshake/index.ts'
import type { Vault } from './vault.ts'

/** Keeps a user's credential in the vault, where `connect` finds it. @throws HandshakeError when it is none */
export async function addCredential(vault: Vault, credential: string | JsonObject): Promise<void> {
  claimsOf(credential)
  await vault.update('credential', await hash(credential), () => credential)
}

export interface CredentialWanted {
  readonly clientDid: string
  /** Names that the server goes by: its origin, its DID where that is known. */
  readonly serverNames: readonly string[]
  /** Empty where they are not known yet. */
  readonly scopes: readonly string[]
  /** Unix seconds. */
  readonly now: number
}

/** Of the credentials that would do, the one that is good for longest; those that have ended are removed. */
export async function findCredential(
  vault: Vault,
  wanted: CredentialWanted,
): Promise<string | JsonObject | undefined> {
  let best: { readonly credential: string | JsonObject; readonly end: number } | undefined
  for (const [name, credential] of await vault.entries('credential')) {
    if (typeof credential !== 'string' && !isObject(credential)) continue
    const claims = claimsOf(credential)
    const end = endOf(claims)
    if (end <= wanted.now) await vault.update('credential', name, () => undefined)
    else if (fits(claims, wanted) && end > (best?.end ?? 0)) best = { credential, end }
  }
  return best?.credential
}

function endOf({ exp, expires_at: expiresAt }: JsonObject): number {
  const end = exp ?? expiresAt
  return typeof end === 'number' ? end : 0
}

function fits(claims: JsonObject, { clientDid, serverNames, scopes }: CredentialWanted): boolean {
  const audience = namesIn(claims.aud)
  const mayDo = namesIn(claims.scopes)
  return (
    (claims.client_did ?? claims.sub) === clientDid &&
    (audience.length === 0 || audience.some((name) => serverNames.includes(name))) &&
    scopes.every((scope) => mayDo.includes(scope))
  )
}

const namesIn = (value: Json): readonly string[] =>
  (Array.isArray(value) ? value : [value]).filter((name): name is string => typeof name === 'string')
