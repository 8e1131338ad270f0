import { Usage } from './outcome.ts'

export const list = (text: string): string[] => text.split(',').filter((part) => part !== '')

export const repeated = (value: string, before: string[] = []): string[] => [...before, value]

export function seconds(text: string): number {
  const number = Number(text)
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number) || number === 0) {
    throw new Usage(`${text} is no number of seconds`)
  }
  return number
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
