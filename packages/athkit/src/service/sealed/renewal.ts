import * as v from 'valibot'
import type { JsonObject } from '../../crypto/json.ts'
import { randomId } from '../../crypto/random.ts'
import { checkTimestamp, shaped, time } from '../../crypto/shape.ts'
import { keysOf, type Relationship } from '../../did/document.ts'
import type { Resolution } from '../../did/resolver.ts'
import { HandshakeError, refuse } from '../../errors.ts'
import { issueAccessToken } from '../../token/access-token.ts'
import type { ServiceContext } from '../context.ts'
import { askPolicy, longestFor, restrictionsFor } from '../decisions.ts'
import { isDenied } from '../policy/index.ts'
import { recordAlone } from '../record.ts'
import { isRevoked } from '../revocation/credential.ts'
import { endDeactivated } from '../revocation/recheck.ts'
import type { GrantRow } from '../rows.ts'
import type { KnownSession } from './sessions.ts'

const TokenRenewal = v.object({ type: v.literal('token_renewal'), timestamp: time })

/**
 * Inner `POST /ath/session/token` (ATH-7.10): another token within the grant. Whoever the grant was made for and by must still have
 * the keys that it rests on; policy may have become stricter, never looser.
 *
 * @throws HandshakeError `malformed_message`, `timestamp_skew`, `key_mismatch`, `credential_invalid`, `identity_revoked`,
 *   `grant_revoked`, `policy_denied`, `resolver_unavailable`
 */
export async function renew(
  context: ServiceContext,
  { grant, session, sid, partition }: KnownSession,
  message: JsonObject,
): Promise<JsonObject> {
  const now = context.now()
  const { timestamp } = shaped(TokenRenewal, message, 'renewal')
  checkTimestamp(timestamp, now, 'renewal')
  await checkParties(context, grant)
  const { scopes, restrictions, endsAt } = await whatRemains(context, grant)
  const jti = randomId('tok_')
  const access_token = await issueAccessToken(context.identity.signer, {
    iss: context.identity.did,
    sub: grant.userDid,
    client_id: grant.clientDid,
    aud: grant.audience,
    iat: now,
    exp: Math.min(now + context.timeouts.tokenTtl, endsAt),
    jti,
    scope: scopes.join(' '),
    restrictions,
    cnf: { ath_sid: sid },
    ath_transcript: session.transcript,
  })
  const { id: grantId, clientDid, userDid } = grant
  await recordAlone(context, partition, [{ type: 'token_renewed', jti, grantId, clientDid, userDid }])
  return { type: 'token_renewal', access_token, timestamp: now }
}

async function checkParties(context: ServiceContext, grant: GrantRow): Promise<void> {
  await mustHold(context, grant.clientDid, 'authentication', grant.clientKey, 'key_mismatch')
  if ((await context.users.find(grant.userDid)) === undefined) {
    throw refuse('credential_invalid', 'the user is no longer enrolled', { rule: 'ATH-7.10' })
  }
  await mustHold(context, grant.userDid, 'assertionMethod', grant.credentialKey, 'credential_invalid')
  if (await isRevoked(context, grant.userDid, grant.credentialId, grant.requestId)) {
    throw refuse('grant_revoked', 'its credential was revoked', { rule: 'ATH-8' })
  }
}

/** The key must still be one of the DID's; a cached document that says no is looked up again once (ATH-4.4). */
async function mustHold(
  context: ServiceContext,
  did: string,
  relationship: Relationship,
  thumbprint: string,
  otherwise: 'key_mismatch' | 'credential_invalid',
): Promise<void> {
  for (const fresh of [false, true]) {
    const found = await resolve(context, did, fresh)
    if (found?.deactivated === true) {
      // It takes all of its party's grants with it (ATH-8).
      await endDeactivated(context, did)
      throw refuse('identity_revoked', 'the DID was deactivated', { rule: 'ATH-4.3' })
    }
    const keys = found === undefined ? [] : await keysOf(found.document, relationship)
    if (keys.some((key) => key.thumbprint === thumbprint)) return
  }
  throw refuse(otherwise, 'the key is no longer of its DID', { rule: 'ATH-7.10' })
}

async function resolve(
  context: ServiceContext,
  did: string,
  fresh: boolean,
): Promise<Resolution | undefined> {
  try {
    return await context.resolver.resolve(did, { fresh })
  } catch (error) {
    if (error instanceof HandshakeError && error.error === 'identity_unknown') return undefined
    throw error
  }
}

/** Fewer scopes by today's policy, but never none; the stricter of the grant's restrictions and today's; no longer than it allows. */
async function whatRemains(context: ServiceContext, grant: GrantRow) {
  const policy = await askPolicy(context, grant.clientDid, grant.clientInfo)
  const scopes = grant.scopes.filter((scope) => context.scopes.has(scope) && !isDenied(policy, scope))
  const restrictions = restrictionsFor(context, policy, scopes, grant.restrictions)
  const longest = longestFor(policy, scopes) ?? Number.POSITIVE_INFINITY
  const endsAt = Math.min(grant.expiresAt, grant.grantedAt + longest)
  if (scopes.length === 0 || restrictions === 'denied' || endsAt <= context.now()) {
    throw refuse('policy_denied', 'policy leaves nothing of the grant', { rule: 'ATH-7.10' })
  }
  return { scopes, restrictions, endsAt }
}
