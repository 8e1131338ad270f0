/**
 * The user: authorizes agents (step 0), answers the questions of services (step 7), takes back what they gave (ATH-8).
 */
import type { JsonObject } from '../crypto/json.ts'
import { randomId } from '../crypto/random.ts'
import {
  areScopes,
  type ConfirmationRequest,
  type ConfirmationResponse,
  createConfirmationResponse,
  createUserAuthorization,
  type Identity,
} from '../handshake/index.ts'
import { createEnrolment, type Enrolment } from '../messages/index.ts'
import { type CredentialBook, createCredentialBook, rememberedOf } from './credentials.ts'
import { linkTo, type WalletLink, type WalletLinkOptions } from './wallet-link.ts'

/** The credential of step 0: a JWT, or the JSON form. */
export type Authorization = string | JsonObject

export interface UserOptions {
  readonly identity: Identity
  /** Unix seconds. */
  readonly now?: () => number
  /** Where the credentials that were signed are remembered; in memory without it. */
  readonly credentials?: CredentialBook
}

export interface AuthorizeOptions<Form extends 'jwt' | 'json' = 'jwt'> {
  readonly clientDid: string
  readonly scopes: readonly string[]
  /** One of the two: seconds from now, or the moment in Unix seconds. */
  readonly expiresInSeconds?: number
  readonly expiresAt?: number
  /** Server DIDs and origins at which it may be used. A credential without it is good everywhere the user is enrolled. */
  readonly audience?: string | readonly string[]
  /** The user's own limits, such as `{ order_amount_limit: 5000 }` (ATH-6.4.3). */
  readonly restrictions?: JsonObject
  /** Handshakes that it is good for at one service. */
  readonly maxUses?: number
  /** Its name among the user's credentials; random without it. */
  readonly jti?: string
  readonly form?: Form
}

export interface ConfirmOptions {
  /** A part of what was asked; all of it without. */
  readonly scopes?: readonly string[]
  /** Unix seconds: the end of the grant, where it is to end sooner. */
  readonly expiresAt?: number
}

export interface User {
  readonly did: string
  readonly credentials: CredentialBook
  /** @throws TypeError for scopes that are none, or an end that has passed */
  authorize<Form extends 'jwt' | 'json' = 'jwt'>(
    options: AuthorizeOptions<Form>,
  ): Promise<Form extends 'json' ? JsonObject : string>
  /** m7 for a question that was verified. @throws TypeError for scopes beyond the question, or an end that has passed */
  confirm(request: ConfirmationRequest, options?: ConfirmOptions): Promise<ConfirmationResponse>
  deny(request: ConfirmationRequest): Promise<ConfirmationResponse>
  /** Proves to a service, inside the account's own page, that this DID is the account holder's (ATH-4.7). */
  enrol(options: { readonly audience: string; readonly challenge: string }): Promise<Enrolment>
  /** The wallet's line to one service. */
  linkTo(options: Omit<WalletLinkOptions, 'user' | 'identity' | 'now'>): WalletLink
}

export function createUser(options: UserOptions): User {
  const { identity, credentials = createCredentialBook() } = options
  const now = options.now ?? (() => Math.floor(Date.now() / 1000))

  async function authorize({ scopes, ...asked }: AuthorizeOptions<'jwt' | 'json'>): Promise<Authorization> {
    if (scopes.length === 0 || !areScopes(scopes)) throw new TypeError('scopes: of the form resource:action')
    const issuedAt = now()
    const credential = await createUserAuthorization(identity, {
      clientDid: asked.clientDid,
      scopes,
      issuedAt,
      expiresAt: endOf(asked, issuedAt),
      jti: asked.jti ?? randomId(),
      ...(asked.audience === undefined ? {} : { audience: asked.audience }),
      ...(asked.restrictions === undefined ? {} : { restrictions: asked.restrictions }),
      ...(asked.maxUses === undefined ? {} : { maxUses: asked.maxUses }),
      ...(asked.form === undefined ? {} : { form: asked.form }),
    })
    await credentials.add(await rememberedOf(credential))
    return credential
  }

  async function confirm(request: ConfirmationRequest, { scopes, expiresAt }: ConfirmOptions = {}) {
    if (scopes !== undefined && !scopes.every((scope) => request.requested_scopes.includes(scope))) {
      throw new TypeError('scopes: only what the question asks for can be approved')
    }
    if (scopes?.length === 0) throw new TypeError('scopes: to approve none of them is to deny')
    if (expiresAt !== undefined && expiresAt <= now()) throw new TypeError('expiresAt has passed')
    return createConfirmationResponse({
      user: identity,
      request,
      approved: true,
      ...(scopes === undefined ? {} : { approvedScopes: scopes }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      now: now(),
    })
  }

  const user: User = {
    did: identity.did,
    credentials,
    authorize: authorize as User['authorize'],
    confirm,
    deny: (request) => createConfirmationResponse({ user: identity, request, approved: false, now: now() }),
    enrol: ({ audience, challenge }) => createEnrolment({ user: identity, audience, challenge, now: now() }),
    linkTo: (link) => linkTo({ ...link, identity, user, now }),
  }
  return user
}

function endOf(
  { expiresInSeconds, expiresAt }: Pick<AuthorizeOptions, 'expiresInSeconds' | 'expiresAt'>,
  now: number,
): number {
  const end = expiresAt ?? (expiresInSeconds === undefined ? undefined : now + expiresInSeconds)
  if (end === undefined || !Number.isSafeInteger(end) || end <= now) {
    throw new TypeError('expiresInSeconds or expiresAt: whole seconds, and not in the past')
  }
  return end
}
