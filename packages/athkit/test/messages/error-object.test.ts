import { describe, expect, test } from 'vitest'
import { AthError, ERRORS, refuse } from '../../src/errors.ts'
import { checkErrorObject } from '../../src/messages/error-object.ts'
import { mutations, NOW } from './common.ts'

const wire = (name: Parameters<typeof refuse>[0]) => ({ ...refuse(name, 'private').toWire(NOW) })

describe('an error object (ATH-9)', () => {
  test.each([...ERRORS.values()])(
    '$code $error conforms as it is sent, and says nothing private',
    ({ code, error }) => {
      const body = wire(error)
      expect(checkErrorObject(code, body)).toBe(body)
      expect(JSON.stringify(body)).not.toContain('private')
    },
  )

  test('of a wrong method or media type is malformed_message with its status', () => {
    for (const status of [405, 415]) {
      const body = { ...refuse('malformed_message', '', { status }).toWire(NOW) }
      expect(checkErrorObject(status, body)).toMatchObject({ code: status, error: 'malformed_message' })
      expect(() => checkErrorObject(status, { ...body, error: 'out_of_order' })).toThrow(AthError)
    }
  })

  test('may say where a replayed request goes on', () => {
    const body = { ...refuse('replayed', '', { nextSeq: 42 }).toWire(NOW) }
    expect(checkErrorObject(409, body).next_seq).toBe(42)
  })

  test.each([
    ['code that is not the status', 401, { code: 400, error: 'malformed_message' }],
    ['name of another code', 401, { error: 'policy_denied' }],
    ['name that is not in the table', 401, { error: 'bad_signature' }],
    ['name that an object has', 401, { error: 'constructor' }],
    ['retryable that its code does not allow', 401, { retryable: true }],
    ['another type', 401, { type: 'err' }],
    ['a code that is text', 401, { code: '401' }],
  ])('with a %s does not conform', (_, status, edit) => {
    expect(() => checkErrorObject(status, { ...wire('signature_invalid'), ...edit })).toThrow(AthError)
  })

  test('that is not retryable although it is does not conform', () => {
    expect(() => checkErrorObject(429, { ...wire('rate_limited'), retryable: false })).toThrow(AthError)
  })

  test('with any member missing or of another type does not conform, and nothing crashes', () => {
    const body = wire('signature_invalid')
    for (const [how, wrong] of mutations(body, Object.keys(body))) {
      expect(() => checkErrorObject(401, wrong), how).toThrow(AthError)
    }
    for (const wrong of [undefined, null, 1, 'text', [], [body]]) {
      expect(() => checkErrorObject(401, wrong)).toThrow(AthError)
    }
  })
})
