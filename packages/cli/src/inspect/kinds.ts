import type { JsonObject } from 'athkit/crypto'
import { AUTHORIZATION_TYP } from 'athkit/handshake'
import { inspectAuthorization } from './authorization.ts'
import {
  inspectConfirmationReceipt,
  inspectConfirmationRequest,
  inspectConfirmationResponse,
} from './confirmation.ts'
import { inspectDocument, inspectHistory, inspectOperation, inspectResolution } from './dids.ts'
import {
  inspectHandshakeRequest,
  inspectHandshakeResponse,
  inspectIdentityProof,
  inspectIdentityResult,
} from './identity.ts'
import type { Inspect } from './inspector.ts'
import { inspectHandshakeComplete, inspectKeyExchange } from './keys.ts'
import * as outside from './outside.ts'
import { inspectPending, inspectScopeRequest, inspectScopeResult } from './scopes.ts'
import * as tokens from './tokens.ts'

/** What a thing is: its short name, its name in words, and who looks at it. */
export interface Kind<Look = Inspect> {
  readonly kind: string
  readonly title: string
  readonly inspect: Look
}

const kind = <Look>(kind: string, title: string, inspect: Look): Kind<Look> => ({ kind, title, inspect })

/** By `type`. */
const MESSAGES: ReadonlyMap<unknown, Kind> = new Map([
  ['handshake_request', kind('m1', 'handshake request', inspectHandshakeRequest)],
  ['handshake_response', kind('m2', 'handshake response', inspectHandshakeResponse)],
  ['identity_proof', kind('m3', 'identity proof', inspectIdentityProof)],
  ['identity_result', kind('m4', 'identity result', inspectIdentityResult)],
  ['scope_request', kind('m5', 'scope request', inspectScopeRequest)],
  ['authorization_pending', kind('202', 'authorization pending', inspectPending)],
  ['authorization_confirmation_request', kind('m6', 'confirmation request', inspectConfirmationRequest)],
  ['authorization_confirmation_response', kind('m7', 'confirmation response', inspectConfirmationResponse)],
  ['authorization_confirmation_receipt', kind('receipt', 'confirmation receipt', inspectConfirmationReceipt)],
  ['scope_result', kind('m8', 'scope result', inspectScopeResult)],
  ['key_exchange', kind('m9a', 'key exchange', inspectKeyExchange)],
  ['handshake_complete', kind('m9b', 'handshake complete', inspectHandshakeComplete)],
  ['error', kind('error', 'error', outside.inspectError)],
  ['revocation', kind('revocation', 'revocation', outside.inspectRevocation)],
  ['revocation_receipt', kind('revocation_receipt', 'revocation receipt', outside.inspectRevocationReceipt)],
  ['enrolment', kind('enrolment', 'enrolment', outside.inspectEnrolment)],
  ['key_rotation', kind('key_rotation', 'key rotation', outside.inspectRotation)],
  ['token_renewal', kind('token_renewal', 'token renewal', outside.inspectRenewal)],
  ['did_operation', kind('did_operation', 'DID operation', inspectOperation)],
])

const M0: Kind = kind('m0', 'user authorization', inspectAuthorization)

/** What has no `type`, by what stands in it. */
const BY_MEMBER: readonly (readonly [is: (value: JsonObject) => boolean, kind: Kind])[] = [
  [({ user_did, client_did, scopes }) => Boolean(user_did && client_did && scopes), M0],
  [
    ({ ath_version, handshake_endpoint }) => ath_version !== undefined || handshake_endpoint !== undefined,
    kind('discovery', 'discovery document', outside.inspectDiscovery),
  ],
  [
    ({ didDocument }) => didDocument !== undefined,
    kind('resolution', 'DID resolution result', inspectResolution),
  ],
  [({ operations }) => Array.isArray(operations), kind('history', 'history of a DID', inspectHistory)],
  [({ pending }) => Array.isArray(pending), kind('inbox', 'inbox listing', outside.inspectInbox)],
  [({ grants }) => Array.isArray(grants), kind('grants', 'grants listing', outside.inspectGrants)],
  [
    ({ id, verificationMethod, authentication }) =>
      typeof id === 'string' && id.startsWith('did:') && (verificationMethod ?? authentication) !== undefined,
    kind('document', 'DID document', inspectDocument),
  ],
]

/** @returns undefined for what is none of the protocol's */
export const kindOfMessage = (message: JsonObject): Kind | undefined =>
  MESSAGES.get(message.type) ??
  (message.type === undefined ? BY_MEMBER.find(([is]) => is(message))?.[1] : undefined)

/** By `typ`. */
const JWTS: ReadonlyMap<unknown, Kind<tokens.InspectJwt>> = new Map([
  [
    AUTHORIZATION_TYP,
    kind<tokens.InspectJwt>('m0', 'user authorization', (token, _, place) =>
      inspectAuthorization(token, place),
    ),
  ],
  ['ath-at+jwt', kind('access_token', 'access token', tokens.inspectAccessToken)],
  ['ath-wallet+jwt', kind('wallet_token', 'wallet token', tokens.inspectWalletToken)],
  ['vc+jwt', kind('vc', 'credential of a third party', tokens.inspectVc)],
  ['ath-webhook+jwt', kind('webhook', 'signature of a webhook', tokens.inspectWebhook)],
])

const OTHER_JWT = kind('jwt', 'JWT of another type', tokens.inspectOtherJwt)

export const kindOfJwt = (typ: unknown): Kind<tokens.InspectJwt> => JWTS.get(typ) ?? OTHER_JWT
