const MOST_SECONDS = 60

/** `Prefer: wait=N` (RFC 7240): seconds to wait, at most 60, 0 without it (ATH-3.4). */
export function waitSeconds(request: Request): number {
  for (const preference of (request.headers.get('prefer') ?? '').split(/[,;]/)) {
    const match = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*$/i.exec(preference)
    if (match !== null) return Math.min(Number(match[1]), MOST_SECONDS)
  }
  return 0
}
