import type { CipherSuite } from '../crypto/algorithms.ts'
import { concat, utf8 } from '../crypto/bytes.ts'
import { expand, extract } from '../crypto/hkdf.ts'
import { canonicalize, sha256 } from '../crypto/jcs.ts'
import type { JsonObject } from '../crypto/json.ts'

/** The secrets of one epoch, 32 bytes each: client to server, server to client, and what the next epoch grows from. */
export interface EpochSecrets {
  readonly c2s: Uint8Array
  readonly s2c: Uint8Array
  readonly rekey: Uint8Array
}

/** The first epoch's, and the session's id (16 bytes). */
export interface SessionSecrets extends EpochSecrets {
  readonly sid: Uint8Array
}

export interface EpochKeys extends EpochSecrets {
  readonly epoch: number
  readonly cipher: CipherSuite
  /** Unix seconds; keys older than 86400 s are refused by both sides (ATH-7.9). */
  readonly createdAt: number
}

/** The key schedule of ATH-6.5.5. @param z 32 bytes; the caller zeroes it */
export async function deriveSession(z: Uint8Array, transcript: Uint8Array): Promise<SessionSecrets> {
  const prk = await extract(transcript, z)
  const secrets = { ...(await expandSecrets(prk)), sid: await expand(prk, LABELS.sid, 16) }
  prk.fill(0)
  return secrets
}

export interface RotationInput {
  readonly rekey: Uint8Array
  /** 32 bytes; the caller zeroes it. */
  readonly z: Uint8Array
  readonly request: JsonObject
  readonly response: JsonObject
}

/** The secrets of the next epoch (ATH-7.9); the `sid` stays. */
export async function deriveNextEpoch(input: RotationInput): Promise<EpochSecrets> {
  const prk = await rotationPrk(input)
  const secrets = await expandSecrets(prk)
  prk.fill(0)
  return secrets
}

/** `PRK'` of ATH-7.9, for vectors. */
export async function rotationPrk({ rekey, z, request, response }: RotationInput): Promise<Uint8Array> {
  const both = await sha256(`${canonicalize(request)}\n${canonicalize(response)}`)
  return extract(rekey, concat(z, both))
}

const LABELS = {
  c2s: utf8('ATH/0.1 c2s'),
  s2c: utf8('ATH/0.1 s2c'),
  rekey: utf8('ATH/0.1 rekey'),
  sid: utf8('ATH/0.1 sid'),
}

async function expandSecrets(prk: Uint8Array): Promise<EpochSecrets> {
  return {
    c2s: await expand(prk, LABELS.c2s, 32),
    s2c: await expand(prk, LABELS.s2c, 32),
    rekey: await expand(prk, LABELS.rekey, 32),
  }
}
