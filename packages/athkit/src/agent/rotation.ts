/**
 * New keys for the session (ATH-7.9). One rotation at a time; one whose answer was lost is asked for again with the same share, so that
 * both sides come to the same keys.
 */
import { type EphemeralShare, generateShare } from '../crypto/ecdh.ts'
import { HandshakeError } from '../errors.ts'
import { createRotationRequest, finishRotation, type RotationRequest } from '../session/rotation.ts'
import { type Connection, epochOf } from './connection.ts'
import { type AgentContext, KEYS_LIVE_SECONDS } from './context.ts'
import { callOwn } from './own.ts'
import { singleFlight } from './single-flight.ts'

export interface Rotator {
  /** Changes the keys, now. @returns the new epoch */
  rotate(signal?: AbortSignal): Promise<number>
  /** Changes them where they have come of age. It may fail as long as they have not come to their end. */
  rotateIfDue(signal?: AbortSignal): Promise<void>
}

/** What is asked for again: the server gives the identical request the identical answer. */
interface Begun {
  readonly share: EphemeralShare
  readonly request: RotationRequest
  readonly ofEpoch: number
}

/** Beyond this its timestamp would be refused soon; another request supersedes it. */
const ASK_AGAIN_SECONDS = 240
/** After a failure, while the keys are still good: a pending rotation is superseded after 30 s. */
const PAUSE_SECONDS = 30

export function createRotator(
  agent: AgentContext,
  connection: Connection,
  onRotated: (epoch: number) => void,
): Rotator {
  let begun: Begun | undefined
  let notBefore = 0

  async function begin(): Promise<Begun> {
    const { epoch } = connection.epoch.keys
    const now = agent.now()
    if (begun?.ofEpoch === epoch && now - begun.request.timestamp < ASK_AGAIN_SECONDS) return begun
    const alg = connection.capabilities.includes(agent.keyExchange) ? agent.keyExchange : 'ECDH-P256'
    const share = await generateShare(alg)
    return { share, request: createRotationRequest(share, now), ofEpoch: epoch }
  }

  const rotate = singleFlight(async () => {
    begun = await begin()
    const { share, request } = begun
    const { keys } = connection.epoch
    try {
      const path = '/ath/session/keys'
      const response = await callOwn(agent, connection, { method: 'POST', path, body: request })
      const rotated = await finishRotation(response, {
        request,
        share,
        keys,
        highestEpoch: keys.epoch,
        now: agent.now(),
      })
      await connection.keeper?.rotated(rotated.keys)
      connection.epoch = epochOf(rotated.keys, connection.keeper)
      begun = undefined
      onRotated(rotated.keys.epoch)
      return rotated.keys.epoch
    } catch (error) {
      // A refusal is final for this share; a lost answer is not.
      if (error instanceof HandshakeError && !error.retryable) begun = undefined
      throw error
    }
  })

  return {
    rotate,
    async rotateIfDue(signal) {
      const now = agent.now()
      const age = now - connection.epoch.keys.createdAt
      if (age < agent.rotateEvery || age >= KEYS_LIVE_SECONDS || now < notBefore) return
      try {
        await rotate(signal)
      } catch (error) {
        if (signal?.aborted === true) throw error
        notBefore = now + PAUSE_SECONDS
      }
    },
  }
}
