import { toBase64url } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/jcs.ts'
import { signJwt } from '../crypto/jws.ts'
import { randomId } from '../crypto/random.ts'
import { AthError } from '../errors.ts'
import type { ConfirmationRequest } from '../handshake/index.ts'
import { isLoopback } from '../messages/origin.ts'
import type { ConfirmationChannel, Delivery } from './channel.ts'

export const WEBHOOK_TYP = 'ath-webhook+jwt'

export interface SignedWebhookOptions {
  /** Of the operator's push service: `https:`, or on this machine. */
  readonly url: string
  readonly fetch?: typeof globalThis.fetch
  /** Attempts in all, with 1, 2, 4 … seconds between them; 3. */
  readonly attempts?: number
  /** Unix seconds. */
  readonly now?: () => number
}

/**
 * Posts each question to a push service of the operator's, which brings it to the user's device. The body is m6 itself, which the
 * wallet verifies; `Ath-Signature` is a JWT (`typ: "ath-webhook+jwt"`; `aud` the URL, `body` base64url of the SHA-256 of the body;
 * valid for 300 s), signed by the service's key, by which the push service knows who sent it.
 *
 * @throws TypeError for a URL that is neither
 */
export function signedWebhook(options: SignedWebhookOptions): ConfirmationChannel {
  const { fetch = globalThis.fetch, attempts = 3, now = () => Math.floor(Date.now() / 1000) } = options
  const url = new URL(options.url)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw new TypeError('signedWebhook: url must be https:, or http: on this machine')
  }

  async function post(question: ConfirmationRequest, { signer, signal }: Delivery): Promise<void> {
    const body = JSON.stringify(question)
    const iat = now()
    const signature = await signJwt(signer, WEBHOOK_TYP, {
      iss: question.server_did,
      aud: url.href,
      iat,
      exp: iat + 300,
      jti: `${question.request_id}.${randomId()}`,
      body: toBase64url(await sha256(body)),
    })
    const headers = { 'content-type': 'application/json', 'ath-signature': signature }
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'error', signal })
    await response.body?.cancel()
    if (!response.ok) throw new AthError('transport_failed', `the push service answered ${response.status}`)
  }

  return {
    name: 'signed-webhook',
    async send(question, delivery) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await post(question, delivery)
        } catch (error) {
          if (attempt >= attempts || delivery.signal.aborted) throw error
        }
        await pause(1000 * 2 ** (attempt - 1), delivery.signal)
      }
    },
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done, { once: true })
  })
}
