import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from './servers/postgres.ts'
import { startRedis } from './servers/redis.ts'

export const KINDS = ['sqlite', 'postgres', 'redis'] as const
export type Kind = (typeof KINDS)[number]

/** A database of its own, on this machine; the URL is what the shop's `--store` takes. */
export async function startDatabase(kind: Kind): Promise<{ url: string; stop: () => Promise<void> }> {
  if (kind === 'postgres') return startPostgres()
  if (kind === 'redis') return startRedis()
  const folder = mkdtempSync(join(tmpdir(), 'athkit-chaos-'))
  return {
    url: `sqlite:${join(folder, 'shop.db')}`,
    stop: async () => rmSync(folder, { recursive: true, force: true }),
  }
}
