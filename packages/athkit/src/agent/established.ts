import type { Anchor, EstablishedSession, HandshakeComplete, HandshakeMessages } from '../handshake/index.ts'
import type { DeniedScope } from './denied.ts'

/** What a handshake came to: everything that a session begins with. */
export interface Established {
  /** The origin that was dialled, and of every request inside. */
  readonly audience: string
  readonly sessionEndpoint: string
  /** What vouched for the server. */
  readonly anchored: Anchor
  readonly messages: HandshakeMessages
  readonly complete: EstablishedSession & { readonly message: HandshakeComplete }
  readonly denied: readonly DeniedScope[]
  /** Unix seconds. */
  readonly grantEnd: number
  /** Whether a person was asked: then nobody asks again behind their back (ATH-7.11). */
  readonly askedUser: boolean
}
