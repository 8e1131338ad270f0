import { parseMessage } from '../crypto/json.ts'
import { ENROLMENT_PATH } from '../messages/enrolment.ts'
import type { Enrolments } from '../service/index.ts'
import { readJsonBody } from './body.ts'
import type { Endpoint } from './endpoint.ts'
import { json } from './respond.ts'

/** `POST /ath/enrolment` (ATH-4.7): for a wallet that is not in the browser where the account's page is. The challenge says whose it is. */
export const enrolmentEndpoint = (enrolment: Enrolments): Endpoint => ({
  path: ENROLMENT_PATH,
  counted: true,
  methods: {
    POST: async ({ request, caller }) =>
      json(200, await enrolment.receive(parseMessage(await readJsonBody(request)), caller)),
  },
})
