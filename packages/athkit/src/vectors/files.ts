import type { JsonObject } from '../crypto/json.ts'
import { check as anchor } from './anchor.ts'
import { check as audit } from './audit.ts'
import { asRestrictions, asSet, type Normalize } from './compare.ts'
import { check as confirmation } from './confirmation.ts'
import { check as credential } from './credential.ts'
import { check as decision } from './decision.ts'
import { check as didKey } from './did-key.ts'
import { check as discovery } from './discovery.ts'
import { check as enrolment } from './enrolment.ts'
import { check as errors } from './errors.ts'
import { check as jcs } from './jcs.ts'
import { check as labelledSignature } from './labelled-signature.ts'
import { check as nonce } from './nonce.ts'
import { check as registry } from './registry.ts'
import { check as renewal } from './renewal.ts'
import { check as restrictions } from './restrictions.ts'
import { check as revocation } from './revocation.ts'
import { check as rotation } from './rotation.ts'
import { check as sealed } from './sealed.ts'
import { check as transcript } from './transcript.ts'
import { check as vc } from './vc.ts'
import { check as walletToken } from './wallet-token.ts'

/** One kind of vector file: the library's own function for it, and how its outcome is compared. */
export interface VectorFile {
  /** @throws a refusal when the library refuses the input; anything else it throws is a crash */
  readonly check: (input: JsonObject) => Promise<JsonObject>
  /** Whether the error of a refusal is advice, by the input. */
  readonly advice?: (input: JsonObject) => boolean
  readonly normalize?: ReadonlyMap<string, Normalize>
  readonly atTheLatest?: readonly string[]
}

const always = () => true
const restrictionsMember = new Map([['restrictions', asRestrictions]])

/** By file name. What is not here is not known, and fails. */
export const VECTOR_FILES: ReadonlyMap<string, VectorFile> = new Map<string, VectorFile>([
  ['anchor.json', { check: anchor }],
  ['audit.json', { check: audit }],
  ['confirmation.json', { check: confirmation, advice: (input) => input.check === 'request' }],
  ['credential.json', { check: credential }],
  [
    'decision.json',
    {
      check: decision,
      normalize: new Map([['scopes_granted', asSet], ...restrictionsMember]),
    },
  ],
  ['did-key.json', { check: didKey }],
  ['discovery.json', { check: discovery, advice: always }],
  ['enrolment.json', { check: enrolment }],
  ['errors.json', { check: errors }],
  ['jcs.json', { check: jcs }],
  ['labelled-signature.json', { check: labelledSignature }],
  ['nonce.json', { check: nonce }],
  ['registry.json', { check: registry, advice: always }],
  ['renewal.json', { check: renewal, advice: always }],
  ['restrictions.json', { check: restrictions, normalize: restrictionsMember }],
  ['revocation.json', { check: revocation, advice: (input) => input.check === 'receipt' }],
  ['rotation.json', { check: rotation }],
  ['sealed.json', { check: sealed }],
  ['transcript.json', { check: transcript, advice: always, atTheLatest: ['m2', 'm4', 'm8', 'm9b'] }],
  ['vc.json', { check: vc }],
  ['wallet-token.json', { check: walletToken }],
])
