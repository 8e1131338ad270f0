import { generateSigner } from 'athkit/crypto'
import { didFromKey } from 'athkit/did'
import { createUser } from 'athkit/user'

export async function party() {
  const signer = await generateSigner()
  return { did: didFromKey(signer.publicKey), signer }
}

/** The agent and the user of every measurement. */
export const agentParty = await party()
export const userParty = await party()

const user = createUser({ identity: userParty })

export type Party = Awaited<ReturnType<typeof party>>

export const authorizationFor = (serverDid: string, clientDid = agentParty.did) =>
  user.authorize({
    clientDid,
    scopes: ['goods:read'],
    audience: serverDid,
    expiresInSeconds: 3600,
  })
