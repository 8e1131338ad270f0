import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { verifyUserAuthorization } from '../../src/handshake/index.ts'
import { bindingChoices, rememberedOf, visible } from '../../src/user/index.ts'
import { documentOf, linkWorld, NOW } from './link-world.ts'

describe('authorize', () => {
  test.each(['jwt', 'json'] as const)('as %s, it verifies, and is remembered', async (form) => {
    const { user, userParty, agent, server } = await linkWorld()
    const credential = await user.authorize({
      clientDid: agent.did,
      scopes: ['goods:read'],
      expiresInSeconds: 60,
      audience: server.did,
      restrictions: { order_amount_limit: 5000 },
      maxUses: 2,
      form,
    })
    const verified = await verifyUserAuthorization(credential, {
      now: NOW,
      clientDid: agent.did,
      serverNames: [server.did],
      enrolled: async () => documentOf(userParty),
      revoked: async () => false,
      uses: async () => 0,
    })
    expect(verified).toMatchObject({
      expiresAt: NOW + 60,
      maxUses: 2,
      restrictions: { order_amount_limit: 5000 },
    })
    const remembered = await rememberedOf(credential)
    expect(remembered).toMatchObject({
      id: verified.credentialId,
      scopes: ['goods:read'],
      audience: [server.did],
    })
    expect(await user.credentials.find(verified.credentialId)).toEqual(remembered)
  })

  test.each([
    ['no scopes', { scopes: [], expiresInSeconds: 60 }],
    ['what is no scope', { scopes: ['goods'], expiresInSeconds: 60 }],
    ['a scope twice', { scopes: ['a:b', 'a:b'], expiresInSeconds: 60 }],
    ['no end', { scopes: ['a:b'] }],
    ['an end that has passed', { scopes: ['a:b'], expiresAt: NOW }],
    ['an end between two seconds', { scopes: ['a:b'], expiresInSeconds: 1.5 }],
  ])('not with %s', async (_, options) => {
    const { user, agent } = await linkWorld()
    await expect(user.authorize({ clientDid: agent.did, ...options })).rejects.toThrow(TypeError)
  })
})

describe('confirm', () => {
  test.each([
    ['scopes beyond the question', { scopes: ['user:profile'] }],
    ['none of them: that is a denial', { scopes: [] }],
    ['an end that has passed', { expiresAt: NOW }],
  ])('not with %s', async (_, options) => {
    const { user, asked } = await linkWorld()
    await expect(user.confirm(await asked, options)).rejects.toThrow(TypeError)
  })
})

describe('bindingChoices', () => {
  test('three different codes of two digits, the right one among them, wherever chance puts it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 99 }),
        fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
        (number, chances) => {
          const code = String(number).padStart(2, '0')
          let at = 0
          const choices = bindingChoices({ binding_code: code }, (bound) => (chances[at++] ?? 0) % bound)
          expect(choices).toContain(code)
          expect(new Set(choices).size).toBe(3)
          for (const choice of choices) expect(choice).toMatch(/^[0-9]{2}$/)
        },
      ),
    )
  })

  test('in no order', () => {
    const places = new Set(
      Array.from({ length: 200 }, () => bindingChoices({ binding_code: '42' }).indexOf('42')),
    )
    expect([...places].sort()).toEqual([0, 1, 2])
  })
})

describe('visible', () => {
  test.each([
    ['plain text, 中文, emoji 📱 and é stay', 'plain text, 中文, emoji 📱 and é stay'],
    ['abc\u202Etxt', 'abc\\u{202E}txt'],
    ['a\u2066b\u2069', 'a\\u{2066}b\\u{2069}'],
    ['line\r\nend', 'line\\u{000D}\\u{000A}end'],
    ['\u0000\u001b[2J', '\\u{0000}\\u{001B}[2J'],
    ['zero\u200Bwidth\uFEFF', 'zero\\u{200B}width\\u{FEFF}'],
    ['tag\u{E0041}', 'tag\\u{E0041}'],
    ['no\u00A0break', 'no\\u{00A0}break'],
    ['lone \uD800', 'lone \\u{D800}'],
    ['soft\u00ADhyphen', 'soft\\u{00AD}hyphen'],
    ['para\u2029graph', 'para\\u{2029}graph'],
  ])('%j', (text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  test('nothing that it gives has anything to hide', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visible(text)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
        expect(visible(visible(text))).toBe(visible(text))
      }),
    )
  })
})
