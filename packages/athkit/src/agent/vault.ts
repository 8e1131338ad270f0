import type { SignatureAlgorithm } from '../crypto/algorithms.ts'
import type { Json } from '../crypto/json.ts'
import type { Identity } from '../handshake/index.ts'

/**
 * What an agent keeps from one run to the next, by kind. `signed` is what a user remembers of the credentials they signed, `reach` what a
 * program remembers of how a service is reached, `pin` how far histories of DIDs were seen, `registry` the registry that it knows;
 * `identity` and `key` are of vaults that keep keys.
 */
export type VaultKind =
  | 'credential'
  | 'signed'
  | 'server'
  | 'handshake'
  | 'session'
  | 'reach'
  | 'pin'
  | 'registry'
  | 'identity'
  | 'key'

/** What a vault keeps: JSON in which secrets may be bytes. A vault that is asked for bytes gives bytes, and makes no string of them. */
export type Kept = Json | Uint8Array | readonly Kept[] | { readonly [name: string]: Kept }

/**
 * Where an agent keeps its identity, its users' credentials and the servers it knows; all of it secret, and safe from one run to the
 * next. Implement it on whatever keeps secrets where you are. A key in a KMS or an HSM stays there: `identity` gives the means to
 * sign, never the key.
 */
export interface Vault {
  /**
   * The identity; where there is none yet one is made, a key-form `did:ath` of that algorithm, ES256 without it.
   */
  identity(alg?: SignatureAlgorithm): Promise<Identity>
  /** Every entry of the kind, by name. */
  entries(kind: VaultKind): Promise<ReadonlyMap<string, Kept>>
  /**
   * Changes one entry, in one atomic step: nobody else's change comes in between. It is durable when this resolves.
   *
   * @param change what is there, `undefined` for nothing, to what shall be; `undefined` removes it
   */
  update(kind: VaultKind, name: string, change: (before: Kept | undefined) => Kept | undefined): Promise<void>
}
