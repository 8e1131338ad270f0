import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import type { GenericSchema } from 'valibot'
import { object, scopes, signature } from '../crypto/shape.ts'
import { DidOperation } from '../did/history.ts'
import * as handshake from '../handshake/index.ts'
import * as messages from '../messages/index.ts'
import { RotationRequest, RotationResponse } from '../session/rotation.ts'

/**
 * Every message as JSON Schema (draft 2020-12), by the name of its file: made from the schemas that the library itself judges by, for
 * implementations in other languages. What a schema cannot say (signatures, clocks, what belongs together) is in the profile.
 */
export function messageSchemas(): ReadonlyMap<string, JsonSchema> {
  return new Map([...SCHEMAS].map(([name, schema]) => [name, { title: name, ...convert(schema) }]))
}

const SCHEMAS = new Map<string, GenericSchema>([
  ['1-handshake-request', handshake.HandshakeRequest],
  ['2-handshake-response', handshake.HandshakeResponse],
  ['3-identity-proof', handshake.IdentityProof],
  ['4-identity-result', handshake.IdentityResult],
  ['5-scope-request', handshake.ScopeRequest],
  ['6-authorization-confirmation-request', handshake.ConfirmationRequest],
  ['7-authorization-confirmation-response', handshake.ConfirmationResponse],
  ['8-scope-result', handshake.ScopeResult],
  ['9a-key-exchange', handshake.KeyExchange],
  ['9b-handshake-complete', handshake.HandshakeComplete],
  ['authorization-confirmation-receipt', messages.ConfirmationReceipt],
  ['authorization-pending', messages.AuthorizationPending],
  ['did-operation', DidOperation],
  ['discovery', messages.DiscoveryDocument],
  ['enrolment', messages.Enrolment],
  ['error', messages.ErrorObject],
  ['grants', messages.GrantsListing],
  ['inbox', messages.InboxListing],
  ['key-rotation-request', RotationRequest],
  ['key-rotation-response', RotationResponse],
  ['revocation', messages.Revocation],
  ['revocation-receipt', messages.RevocationReceipt],
])

/** What the common shapes of `crypto/shape.ts` mean, which are functions there. */
const CUSTOM = new Map<GenericSchema, JsonSchema>([
  [object, { type: 'object' }],
  // ATH-1.3: one that is there but is no signature is refused where it is verified.
  [signature, { not: { type: 'null' } }],
  [
    scopes,
    {
      type: 'array',
      items: { type: 'string', pattern: '^[a-z][a-z0-9._-]*:[a-z][a-z0-9._-]*$' },
      maxItems: 64,
      uniqueItems: true,
    },
  ],
])

function convert(schema: GenericSchema): JsonSchema {
  return toJsonSchema(schema, {
    target: 'draft-2020-12',
    overrideSchema: ({ valibotSchema }) => CUSTOM.get(valibotSchema as GenericSchema),
    // An integer is one in any JSON Schema; `safe` is what JSON itself is held to (ATH-1.5).
    overrideAction: ({ valibotAction, jsonSchema }) =>
      valibotAction.type === 'safe_integer' ? { ...jsonSchema, type: 'integer' } : undefined,
    ignoreActions: ['readonly'],
  })
}
