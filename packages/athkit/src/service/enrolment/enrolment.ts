import { toBase64url } from '../../crypto/bytes.ts'
import { hash } from '../../crypto/jcs.ts'
import type { Json } from '../../crypto/json.ts'
import type { PublicKey } from '../../crypto/keys.ts'
import { randomBytes } from '../../crypto/random.ts'
import { shaped } from '../../crypto/shape.ts'
import { keysOf } from '../../did/document.ts'
import type { ResolveOptions } from '../../did/resolver.ts'
import { refuse } from '../../errors.ts'
import {
  createEnrolmentReceipt,
  Enrolment,
  type EnrolmentReceipt,
  verifyEnrolment,
} from '../../messages/enrolment.ts'
import { addressGroup } from '../../net/address.ts'
import type { Caller, ServiceContext } from '../context.ts'
import type { LinkedUsers } from '../options.ts'
import { LONGEST_DID, withCurrentKeys } from '../parties.ts'
import { recordAlone } from '../record.ts'
import { endLink, openLink } from '../revocation/party.ts'
import { userPartition } from '../rows.ts'

/** How users come to be enrolled (ATH-4.7). The account is always that of whoever is logged in where it is asked for. */
export interface Enrolments {
  /**
   * For the account's own page: the challenge that the user signs. It is good once, for ten minutes, and for this account; whoever
   * brings it signed by a DID links that DID to the account, so it is shown to the account's holder alone.
   */
  challenge(account: string): Promise<Challenge>
  /**
   * The challenge, signed. The answer is the same whether the DID was new here, linked to this account already, or has moved from
   * another one; its grants there have ended then.
   *
   * @throws HandshakeError `malformed_message`, `timestamp_skew`, `signature_invalid`; what resolving the DID throws
   */
  receive(message: Json, caller?: Caller): Promise<EnrolmentReceipt>
  /** The DIDs of an account. */
  linked(account: string): Promise<readonly string[]>
  /** Ends the link, and every grant that was made under it. @returns false where there was none */
  unlink(account: string, userDid: string): Promise<boolean>
}

export interface Challenge {
  readonly challenge: string
  /** What the user signs beside it: the first of the service's origins. */
  readonly audience: string
  /** Unix seconds. */
  readonly expiresAt: number
}

const CHALLENGE_SECONDS = 600

export function createEnrolments(context: ServiceContext, users: LinkedUsers): Enrolments {
  const partitionOf = async (challenge: string) => `enrolment:${await hash(challenge)}`

  /** Whose challenge it is, and whether this very message has used it. */
  async function offered({ challenge, user_did: userDid }: Enrolment, messageHash: string) {
    const operations = [{ op: 'get', key: OPEN } as const, { op: 'get', key: USED } as const] as const
    const { results } = await context.store.transact(await partitionOf(challenge), operations, context.now())
    const [open, used] = results
    if (open !== undefined) return { account: open.value, isDone: false }
    const before = used && (JSON.parse(used.value) as Used)
    // A lost answer is given again while what it said is true; nothing is linked by it.
    const isDone = before?.message === messageHash && (await users.find(userDid))?.account === before.account
    // Nothing is resolved for whoever did not come from an account's page.
    if (!isDone) throw unknownChallenge()
    return { account: before.account, isDone }
  }

  /** Exactly one caller receives it. */
  async function take(challenge: string, used: Used): Promise<void> {
    const now = context.now()
    const value = JSON.stringify(used)
    const operations = [
      { op: 'take', key: OPEN },
      { op: 'put', key: USED, value, expiresAt: now + CHALLENGE_SECONDS },
    ] as const
    const { outcome } = await context.store.transact(await partitionOf(challenge), operations, now)
    if (outcome !== 'done') throw unknownChallenge()
  }

  async function keysOfStranger(did: string, options: ResolveOptions): Promise<readonly PublicKey[]> {
    const { document, deactivated } = await context.resolver.resolve(did, options)
    if (deactivated === true)
      throw refuse('identity_revoked', 'the user DID is deactivated', { rule: 'ATH-4.3' })
    return keysOf(document, 'authentication')
  }

  async function link(userDid: string, account: string): Promise<void> {
    const before = (await users.find(userDid))?.account
    if (before !== undefined && before !== account)
      await endLink(context, userDid, before, 'linked to another account')
    await openLink(context, userDid, account)
    const left = await users.link(userDid, account)
    // Another was faster: what it linked ends as well.
    if (left !== undefined && left !== account && left !== before) {
      await endLink(context, userDid, left, 'linked to another account')
    }
    await recordAlone(context, userPartition(userDid), [{ type: 'user_linked', userDid, account }])
  }

  return {
    async challenge(account) {
      const challenge = toBase64url(randomBytes(32))
      const expiresAt = context.now() + CHALLENGE_SECONDS
      const row = { op: 'put', key: OPEN, value: account, expiresAt } as const
      await context.store.transact(await partitionOf(challenge), [row], context.now())
      return { challenge, audience: context.origins[0] ?? '', expiresAt }
    },

    async receive(message, caller) {
      const enrolment: Enrolment = shaped(Enrolment, message, 'enrolment')
      const { challenge, user_did: userDid } = enrolment
      if (userDid.length > LONGEST_DID) {
        throw refuse('malformed_message', 'enrolment: the DID is too long', { rule: 'ATH-4.7' })
      }
      const receipt = () => createEnrolmentReceipt(userDid, context.identity.did, context.now())
      const messageHash = await hash(enrolment)
      const { account, isDone } = await offered(enrolment, messageHash)
      if (isDone) return receipt()
      const requester = caller && addressGroup(caller.address)
      await withCurrentKeys('signature_invalid', (fresh) =>
        verifyEnrolment(message, {
          origins: context.origins,
          challenge,
          now: context.now(),
          keysOf: (did) => keysOfStranger(did, { fresh, requester }),
        }),
      )
      await take(challenge, { message: messageHash, account })
      await link(userDid, account)
      return receipt()
    },

    linked: async (account) => users.linked(account),

    async unlink(account, userDid) {
      if ((await users.find(userDid))?.account !== account) return false
      // First its grants: if nothing follows, the user is still there to try again.
      await endLink(context, userDid, account, 'unlinked')
      const isUnlinked = await users.unlink(userDid, account)
      const event = { type: 'user_unlinked', userDid, account } as const
      if (isUnlinked) await recordAlone(context, userPartition(userDid), [event])
      return isUnlinked
    },
  }
}

const OPEN = 'open'
const USED = 'used'

interface Used {
  /** H(enrolment). */
  readonly message: string
  readonly account: string
}

const unknownChallenge = () =>
  refuse('signature_invalid', 'enrolment: of no challenge that is open', { rule: 'ATH-4.7' })
