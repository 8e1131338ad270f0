import type { JsonObject } from '../crypto/json.ts'
import { verifyWalletToken } from '../messages/wallet-token.ts'
import { authenticationKeys } from './key-form.ts'

interface Input {
  readonly token: string
  readonly origins: readonly string[]
  readonly now: number
  /** [iss, jti] of the tokens taken before. */
  readonly seen: readonly (readonly [string, string])[]
  readonly enrolled: readonly string[]
}

/** wallet-token.json: the bearer token of the inbox (ATH-6.3.5). */
export async function check(input: JsonObject): Promise<JsonObject> {
  const { token, origins, now, seen, enrolled } = input as unknown as Input
  const { userDid } = await verifyWalletToken(token, {
    now,
    origins,
    enrolled: (did) => enrolled.includes(did),
    keysOf: (did) => authenticationKeys(did, now),
    takeJti: (iss, jti) => !seen.some(([seenIss, seenJti]) => seenIss === iss && seenJti === jti),
  })
  return { iss: userDid }
}
