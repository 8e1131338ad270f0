import type { Vault } from 'athkit/agent'
import type { CredentialBook, SignedCredential } from 'athkit/user'

/** What a user has signed, remembered in their vault: a question about anything else is not shown (ATH-6.3.1). */
export const signedIn = (vault: Vault): CredentialBook => ({
  add: ({ id, clientDid, scopes, expiresAt, audience, restrictions }) =>
    vault.update('signed', id, () => ({
      id,
      clientDid,
      scopes,
      expiresAt,
      restrictions,
      ...(audience === undefined ? {} : { audience }),
    })),
  find: async (id) => (await vault.entries('signed')).get(id) as SignedCredential | undefined,
})
