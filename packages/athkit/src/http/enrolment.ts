import { parseMessage } from '../crypto/json.ts'
import { ENROLMENT_PATH } from '../messages/enrolment.ts'
import type { Enrolments } from '../service/index.ts'
import type { Endpoint } from './endpoint.ts'

/** `POST /ath/enrolment` (ATH-4.7): for a wallet that is not in the browser where the account's page is. The challenge says whose it is. */
export const enrolmentEndpoint = (enrolment: Enrolments): Endpoint => ({
  path: ENROLMENT_PATH,
  counted: true,
  messages: {
    POST: async ({ body, caller }) => ({
      status: 200,
      body: await enrolment.receive(parseMessage(body), caller),
    }),
  },
})
