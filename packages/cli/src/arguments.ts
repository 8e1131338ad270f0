import { parseDid } from 'athkit/did'
import { HandshakeError } from 'athkit/errors'
import { areScopes } from 'athkit/handshake'
import { ENROLMENT_PATH } from 'athkit/messages'
import { Usage } from './trouble.ts'

export const list = (text: string): string[] => text.split(',').filter((part) => part !== '')

export const repeated = (value: string, before: string[] = []): string[] => [...before, value]

export function scopeList(text: string): string[] {
  const scopes = list(text)
  if (scopes.length > 0 && areScopes(scopes)) return scopes
  throw new Usage(
    `${text}: scopes are written resource:action, separated by commas, each once: goods:read,order:create`,
  )
}

export function seconds(text: string): number {
  const number = Number(text)
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number) || number === 0) {
    throw new Usage(`${text} is no number of seconds: write a whole number above 0`)
  }
  return number
}

/** The origin of a service that somebody typed. */
export function originIn(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:') return url.origin
  throw new Usage(`${text} is no address of a service: write it as https://shop.example`)
}

export function didIn(text: string): string {
  try {
    return parseDid(text).did
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    throw new Usage(`${text} is no DID: it begins did:, and ath did prints one’s own`)
  }
}

/** Where an account's page says that enrolments are taken; of a bare origin, where athkit takes them. */
export function enrolmentUrlIn(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:') throw new Usage(`${text} is no address: copy it from the account’s page`)
  return url.pathname === '/' ? `${url.origin}${ENROLMENT_PATH}` : url.href
}

/** A registry that somebody typed: its paths begin behind it. */
export function registryIn(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' && url.search === '' && url.hash === '') return text
  throw new Usage(`${text} is no address of a registry: write it as https://registry.example`)
}

/** A place where a credential is good: compared to the letter, so what would never match is not taken. */
export function audience(text: string): string {
  return text.startsWith('did:') ? didIn(text) : originIn(text)
}

export function json(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Usage(`${what} is not JSON`)
  }
}

export function objectIn(text: string, what: string): Record<string, never> {
  const value = json(text, what)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Usage(`${what} is no JSON object`)
  return value as Record<string, never>
}

export function unixSeconds(text: string): number {
  const number = Number(text)
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number))
    throw new Usage(`${text} is no time in Unix seconds`)
  return number
}
