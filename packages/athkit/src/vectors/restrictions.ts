import type { JsonObject } from '../crypto/json.ts'
import { joinRestrictions } from '../token/restrictions.ts'
import { Refused } from './refused.ts'

/** restrictions.json: the service's and the user's, joined (ATH-6.4.3). */
export async function check({ server, user, enforced }: JsonObject): Promise<JsonObject> {
  const joined = joinRestrictions(server as JsonObject, user as JsonObject, enforced as readonly string[])
  if (joined === 'denied') throw new Refused({ denied: 'restriction' })
  return { restrictions: joined }
}
