import type { Json, JsonObject, PublicKey } from 'athkit/crypto'
import { verifyLabelled } from 'athkit/crypto'
import { AthError, type ErrorName, HandshakeError, refuse } from 'athkit/errors'
import { checkTimestamp, shaped } from 'athkit/handshake'

/** What became of one check: it holds, it does not, or nobody can say without what is not here. */
export interface Finding {
  readonly check: string
  readonly rule: string
  readonly verdict: 'holds' | 'broken' | 'open'
  /** Why it does not hold, or what it takes to say. */
  readonly why?: string
  readonly error?: ErrorName | 'peer_violation'
}

type Schema = Parameters<typeof shaped>[0]

export class Findings {
  readonly list: Finding[] = []

  /** @returns what the work came to; undefined where it refused */
  async judge<T>(check: string, rule: string, work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      const result = await work()
      this.list.push({ check, rule, verdict: 'holds' })
      return result
    } catch (error) {
      if (error instanceof HandshakeError) {
        this.list.push({ check, rule, verdict: 'broken', why: error.reason, error: error.error })
      } else if (error instanceof AthError) {
        this.list.push({ check, rule, verdict: 'broken', why: error.message, error: 'peer_violation' })
      } else throw error
      return undefined
    }
  }

  /** For what is no more than a comparison. */
  hold(check: string, rule: string, holds: boolean, error: ErrorName, why: string): void {
    this.list.push(holds ? { check, rule, verdict: 'holds' } : { check, rule, verdict: 'broken', why, error })
  }

  open(check: string, rule: string, why: string): void {
    this.list.push({ check, rule, verdict: 'open', why })
  }

  /** Whether it is for the service that is meant. */
  audience(said: Json, meant: string | undefined, rule: string, error: ErrorName): void {
    const check = 'for the audience that is meant'
    if (meant === undefined) this.open(check, rule, 'takes --audience')
    else this.hold(check, rule, said === meant, error, `for ${String(said)}`)
  }

  /** The form of a message, without which there is nothing else to judge. */
  async shape(schema: Schema, message: JsonObject, step: string): Promise<boolean> {
    return (await this.judge('shape', 'ATH-1.1', () => shaped(schema, message, step))) !== undefined
  }

  async skew({ timestamp }: JsonObject, now: number, step: string): Promise<void> {
    await this.judge('timestamp within 300 s', 'ATH-6', () => checkTimestamp(timestamp as number, now, step))
  }

  /** A labelled signature (ATH-5.2) by one of these keys; open where they are not known. */
  async signed(
    check: string,
    rule: string,
    keys: readonly PublicKey[] | string,
    signature: { readonly label: string; readonly covers: JsonObject; readonly value: Json },
  ): Promise<void> {
    if (typeof keys === 'string') return this.open(check, rule, keys)
    await this.judge(check, rule, async () => {
      const holds = await Promise.all(
        keys.map((key) =>
          verifyLabelled(key, signature.label, signature.covers, signature.value).then(
            () => true,
            (error: unknown) => {
              if (error instanceof HandshakeError) return false
              throw error
            },
          ),
        ),
      )
      if (!holds.includes(true)) throw refuse('signature_invalid', 'no key of the signer made it over this')
    })
  }
}
