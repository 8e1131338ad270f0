import { readFileSync, statSync } from 'node:fs'
import { parseMessage } from '../crypto/json.ts'
import { HandshakeError } from '../errors.ts'
import type { PolicyDocument, Service } from '../service/index.ts'

const MOST_BYTES = 16 * 1_048_576

/**
 * The policy in a file, as strict JSON: a name that stands there twice would be one that nobody applies. What it says is checked by the
 * service that it is given to.
 *
 * @throws TypeError for what is no JSON object; what reading the file throws
 */
export function readPolicyFile(file: string): PolicyDocument {
  const text = readFileSync(file)
  try {
    return parseMessage(text, { maxBytes: MOST_BYTES }) as PolicyDocument
  } catch (error) {
    if (error instanceof HandshakeError) throw new TypeError(`policy: ${file}: ${error.reason}`)
    throw error
  }
}

export interface FollowOptions {
  /** How often the file is looked at; 1000. It is looked at by its name, so a new file may take its place. */
  readonly everyMs?: number
  /** A policy that is wrong, or a file that is gone: the one in force stays. Without it, the service's `failed` event tells. */
  readonly onError?: (error: unknown) => void
}

/**
 * Reloads a service's policy now, and whenever the file changes. It keeps no process alive.
 *
 * @returns what to call to stop following
 */
export function followPolicyFile(
  file: string,
  service: Pick<Service, 'reloadPolicy' | 'emit'>,
  {
    everyMs = 1000,
    onError = (cause) => service.emit({ type: 'failed', where: file, cause }),
  }: FollowOptions = {},
): () => void {
  let seen: string | undefined
  const look = () => {
    // Before it is read: what is written meanwhile is another state of the file.
    const state = stateOf(file)
    if (state === seen) return
    seen = state
    try {
      service.reloadPolicy(readPolicyFile(file))
    } catch (error) {
      onError(error)
    }
  }
  look()
  const timer = setInterval(look, everyMs).unref()
  return () => clearInterval(timer)
}

/** Which file it is, and when it was last written; empty when there is none. */
function stateOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false, bigint: true })
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeNs}`
}
