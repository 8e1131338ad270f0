import { compactVerify, exportJWK, generateKeyPair, importJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { toBase64url, utf8 } from '../../src/crypto/bytes.ts'
import { decodeJws, signJwt, verifyJwt } from '../../src/crypto/jws.ts'
import { generateSigner, publicKeyFromJwk } from '../../src/crypto/keys.ts'
import { HandshakeError } from '../../src/errors.ts'

const NOW = 1_717_200_000

describe.each(['ES256', 'EdDSA'] as const)('JWS with %s (RFC 7515, ATH-5.3)', (alg) => {
  test('what is signed here, jose verifies', async () => {
    const signer = await generateSigner(alg)
    const token = await signJwt(signer, 'ath-at+jwt', { iss: 'did:example:a', iat: NOW, exp: NOW + 60 })
    const key = await importJWK(signer.publicKey.jwk as JWK, alg)
    const { payload, protectedHeader } = await jwtVerify(token, key, { currentDate: new Date(NOW * 1000) })
    expect(payload).toEqual({ iss: 'did:example:a', iat: NOW, exp: NOW + 60 })
    expect(protectedHeader).toEqual({ alg, kid: signer.publicKey.thumbprint, typ: 'ath-at+jwt' })
    await expect(compactVerify(`${token.slice(0, -8)}AAAAAAAA`, key)).rejects.toThrow()
  })

  test('what jose signs is verified here, with and without a kid', async () => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    const key = await publicKeyFromJwk(await exportJWK(publicKey))
    for (const kid of [undefined, key.thumbprint]) {
      const header = kid === undefined ? { alg, typ: 'ath-at+jwt' } : { alg, typ: 'ath-at+jwt', kid }
      const token = await new SignJWT({ sub: 'x' })
        .setProtectedHeader(header)
        .setExpirationTime(NOW + 60)
        .sign(privateKey)
      const verified = await verifyJwt(token, {
        typ: 'ath-at+jwt',
        keys: [key],
        now: NOW,
        refuseAs: 'token_invalid',
      })
      expect(verified.claims.sub).toBe('x')
    }
  })

  test('another type, another kid, too early, too late, altered: refused by the name that is due', async () => {
    const signer = await generateSigner(alg)
    const verify = (token: unknown, now = NOW) =>
      verifyJwt(token, {
        typ: 'ath-at+jwt',
        keys: [signer.publicKey],
        now,
        refuseAs: 'credential_invalid',
        expiredAs: 'credential_expired',
      }).then(
        () => undefined,
        (error: unknown) => (error as HandshakeError).error,
      )
    const token = await signJwt(signer, 'ath-at+jwt', { iat: NOW, exp: NOW + 60 })
    expect(await verify(token)).toBeUndefined()
    expect(await verify(token, NOW + 60)).toBe('credential_expired')
    expect(await verify(token, NOW - 301)).toBe('credential_invalid')
    expect(await verify(await signJwt(signer, 'other+jwt', {}))).toBe('credential_invalid')
    expect(await verify(await signJwt(signer, 'ath-at+jwt', { exp: 'soon' }))).toBe('credential_invalid')
    expect(await verify(await signJwt(signer, 'ath-at+jwt', { iat: '1' }))).toBe('credential_invalid')
    const stranger = await generateSigner(alg)
    expect(await verify(await signJwt(stranger, 'ath-at+jwt', {}))).toBe('credential_invalid')
    const withOurKid = {
      publicKey: { ...stranger.publicKey, thumbprint: signer.publicKey.thumbprint },
      sign: stranger.sign,
    }
    expect(await verify(await signJwt(withOurKid, 'ath-at+jwt', {}))).toBe('credential_invalid')
    for (let at = 0; at < token.length; at += 7) {
      const letter = token[at] === 'A' ? 'B' : 'A'
      const altered = `${token.slice(0, at)}${letter}${token.slice(at + 1)}`
      expect(await verify(altered), `character ${at}`).toBe('credential_invalid')
    }
  })
})

test('a header that names another algorithm or key than the one that signed is refused', async () => {
  const signer = await generateSigner()
  const sign = async (header: object) => {
    const part = (value: object) => toBase64url(utf8(JSON.stringify(value)))
    const input = `${part({ typ: 'x', ...header })}.${part({})}`
    return `${input}.${toBase64url(await signer.sign(utf8(input)))}`
  }
  const verify = (token: string) =>
    verifyJwt(token, { typ: 'x', keys: [signer.publicKey], now: NOW, refuseAs: 'token_invalid' })
  await expect(verify(await sign({ alg: 'ES256' }))).resolves.toBeDefined()
  await expect(verify(await sign({ alg: 'ES256', kid: signer.publicKey.thumbprint }))).resolves.toBeDefined()
  for (const header of [
    { alg: 'EdDSA' },
    { alg: 'none' },
    {},
    { alg: 'ES256', kid: 'another' },
    { alg: 'ES256', kid: 1 },
  ]) {
    await expect(verify(await sign(header)), JSON.stringify(header)).rejects.toThrow(HandshakeError)
  }
})

test('what a lenient parser would take is no JWS here', () => {
  const part = (text: string) => Buffer.from(utf8(text)).toString('base64url')
  const good = `${part('{"alg":"ES256"}')}.${part('{}')}.AA`
  expect(decodeJws(good).header).toEqual({ alg: 'ES256' })
  for (const wrong of [
    `${part('{"alg":"none","alg":"ES256"}')}.${part('{}')}.AA`,
    `${part('[]')}.${part('{}')}.AA`,
    `${part('{"alg":"ES256"}')}=.${part('{}')}.AA`,
    `${part('{"alg":"ES256"}')} .${part('{}')}.AA`,
    `${part('{}')}.e3.AA`.replace('e3', 'e31'),
    `${part('{}')}.${part('{}')}.AB`,
    `${part('{}')}.${part('{}')}`,
    `${part('{}')}.${part('{}')}.AA.AA`,
    { protected: part('{}'), payload: part('{}'), signature: 'AA' },
    undefined,
  ]) {
    expect(() => decodeJws(wrong), String(wrong)).toThrow(HandshakeError)
  }
})
