import {
  calculateJwkThumbprint,
  EmbeddedJWK,
  exportJWK,
  generateKeyPair,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose'

/** A Bearer JWT bound to a key, and a proof of that key with every request (RFC 9449), by `jose`: what sealed requests are held against. */
const seen = new Set<string>()

/** The issuer's key, known to the server beforehand; a fixed seed would do, the client hands it over with its first request. */
const issuers = new Map<string, Promise<CryptoKey>>()

export async function verifyDpop(request: Request, url: string): Promise<boolean> {
  await request.arrayBuffer()
  const token = request.headers.get('authorization')?.slice('DPoP '.length) ?? ''
  const proof = await jwtVerify(request.headers.get('dpop') ?? '', EmbeddedJWK, {
    typ: 'dpop+jwt',
    maxTokenAge: 3600,
  })
  const { payload } = await jwtVerify(token, await issuer(request.headers.get('x-issuer') ?? ''), {
    typ: 'at+jwt',
  })
  const { jti, htm, htu } = proof.payload
  const bound = (payload.cnf as { jkt?: string } | undefined)?.jkt
  if (jti === undefined || seen.has(jti) || htm !== 'PUT' || htu !== url) return false
  seen.add(jti)
  return bound === (await calculateJwkThumbprint(proof.protectedHeader.jwk as JWK))
}

function issuer(jwk: string): Promise<CryptoKey> {
  const known = issuers.get(jwk)
  if (known !== undefined) return known
  const key = crypto.subtle.importKey('jwk', JSON.parse(jwk), { name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'verify',
  ])
  issuers.set(jwk, key)
  return key
}

/** Headers for so many requests, proofs and all, made before anything is measured. */
export async function dpopHeaders(url: string, count: number): Promise<Record<string, string>[]> {
  const [issuerKeys, client] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')])
  const jwk = await exportJWK(client.publicKey)
  const token = await new SignJWT({ cnf: { jkt: await calculateJwkThumbprint(jwk) } })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
    .setExpirationTime('1h')
    .sign(issuerKeys.privateKey)
  const issuerJwk = JSON.stringify(await exportJWK(issuerKeys.publicKey))
  const proof = (n: number) =>
    new SignJWT({ jti: `${crypto.randomUUID()}-${n}`, htm: 'PUT', htu: url })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(client.privateKey)
  const headers: Record<string, string>[] = []
  for (let n = 0; n < count; n++)
    headers.push({ authorization: `DPoP ${token}`, dpop: await proof(n), 'x-issuer': issuerJwk })
  return headers
}
