import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Store } from 'athkit/store'

const derive = promisify(scrypt) as (password: string, salt: Buffer, length: number) => Promise<Buffer>

/** What `--enrol` makes is called `account-1`, `account-2` …: nobody may sign up under such a name. */
const NAME = /^(?!account-)[a-z0-9_-]{1,32}$/
const LEAST_PASSWORD = 8
const MOST_PASSWORD = 200
const TRIES = [{ limit: 10, windowSeconds: 600 }]

/** Accounts of the shop with a password each, in its own store. */
export function createPasswords(store: Store) {
  const now = () => Math.floor(Date.now() / 1000)
  const partition = (name: string) => `shop:account:${name}`

  return {
    /** @returns what is wrong, in a sentence */
    async signUp(name: string, password: string): Promise<string | undefined> {
      if (!NAME.test(name)) return 'A name has 1 to 32 characters of a-z 0-9 _ -.'
      if (password.length < LEAST_PASSWORD || password.length > MOST_PASSWORD) {
        return `A password has ${LEAST_PASSWORD} to ${MOST_PASSWORD} characters.`
      }
      const salt = randomBytes(16)
      const value = `${salt.toString('base64url')}.${(await derive(password, salt, 32)).toString('base64url')}`
      const put = { op: 'put', key: 'password', value, if: 'absent' } as const
      const { outcome } = await store.transact(partition(name), [put], now())
      return outcome === 'done' ? undefined : 'The name is taken.'
    },

    /** As costly for an account that is not there; ten tries in ten minutes. */
    async check(name: string, password: string): Promise<boolean> {
      if (!NAME.test(name) || password.length > MOST_PASSWORD) return false
      const count = {
        op: 'count',
        key: 'tries',
        limits: TRIES,
        nowMs: Date.now(),
        onRefusal: 'continue',
      } as const
      const { results } = await store.transact(
        partition(name),
        [{ op: 'get', key: 'password' }, count],
        now(),
      )
      const [salt = '', hash = ''] = (results[0]?.value ?? '').split('.')
      const known = Buffer.from(hash, 'base64url')
      const given = await derive(password, Buffer.from(salt, 'base64url'), 32)
      const isRight = known.length === given.length && timingSafeEqual(known, given)
      return isRight && results[1]?.admitted === true
    },
  }
}
