import { createHash, randomBytes } from 'node:crypto'
import type { Store } from 'athkit/store'
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'

const COOKIE = '__Host-shop'
const SECONDS = 3600

/** Who is logged in, by a cookie that only this origin sees and sends. What is stored is its hash: the store cannot log in. */
export function createLogins(store: Store) {
  const now = () => Math.floor(Date.now() / 1000)
  const partition = (secret: string) =>
    `shop:login:${createHash('sha256').update(secret).digest('base64url')}`

  return {
    async start(c: Context, name: string): Promise<void> {
      const secret = randomBytes(32).toString('base64url')
      const put = { op: 'put', key: 'name', value: name, expiresAt: now() + SECONDS } as const
      await store.transact(partition(secret), [put], now())
      setCookie(c, COOKIE, secret, {
        path: '/',
        secure: true,
        httpOnly: true,
        sameSite: 'Strict',
        maxAge: SECONDS,
      })
    },
    async name(c: Context): Promise<string | undefined> {
      const secret = getCookie(c, COOKIE)
      if (secret === undefined) return undefined
      const { results } = await store.transact(partition(secret), [{ op: 'get', key: 'name' }], now())
      return results[0]?.value
    },
    async end(c: Context): Promise<void> {
      const secret = getCookie(c, COOKIE)
      deleteCookie(c, COOKIE, { path: '/', secure: true })
      if (secret !== undefined)
        await store.transact(partition(secret), [{ op: 'delete', key: 'name' }], now())
    },
  }
}
