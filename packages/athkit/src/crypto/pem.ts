import { base64 } from '@scure/base'

type Label = 'PUBLIC KEY' | 'PRIVATE KEY'

/** RFC 7468, lines of 64 characters, a line end behind the last. */
export function encodePem(label: Label, der: Uint8Array): string {
  const lines = base64.encode(der).match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The bytes of a text that is one block of this label and nothing else; undefined otherwise. */
export function decodePem(pem: string, label: Label): Uint8Array | undefined {
  const block = new RegExp(
    `^-----BEGIN ${label}-----\\r?\\n([A-Za-z0-9+/=\\r\\n]+)-----END ${label}-----(\\r?\\n)?$`,
  )
  const body = block.exec(pem)?.[1]
  if (body === undefined) return undefined
  try {
    return base64.decode(body.replaceAll(/\r?\n/g, ''))
  } catch {
    return undefined
  }
}

export function fromHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}
