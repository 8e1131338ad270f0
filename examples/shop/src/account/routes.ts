import { HandshakeError } from 'athkit/errors'
import { ENROLMENT_PATH } from 'athkit/messages'
import type { Enrolments, Service } from 'athkit/service'
import type { Store } from 'athkit/store'
import { type Context, Hono } from 'hono'
import { createLogins } from './logins.ts'
import { type AccountView, accountPage, loginPage } from './pages.ts'
import { createPasswords } from './passwords.ts'

/** Nothing but these pages: no script, no frame around them, no form that leads elsewhere. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
}

/** The account's own page, behind the shop's login: it gives the challenge that links an identity, and takes the answer (ATH-4.7). */
export function accountRoutes(
  service: Service,
  enrolment: Enrolments,
  store: Store,
  serverDid: string,
): Hono {
  const passwords = createPasswords(store)
  const logins = createLogins(store)
  const app = new Hono()

  app.use(async (c, next) => {
    const origin = c.req.header('origin')
    // The cookie is not sent from other sites; a form of one is refused all the same.
    if (origin !== undefined && !service.origins.includes(origin)) return c.text('not from this shop', 403)
    await next()
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value)
  })

  async function view(name: string, offer?: AccountView['offer']): Promise<AccountView> {
    const linked = await enrolment.linked(name)
    return { name, linked, serverDid, ...(offer === undefined ? {} : { offer }) }
  }

  /** A handler for whoever is logged in; the rest are shown the way. */
  const own =
    (handle: (c: Context, name: string, form: Record<string, string>) => Promise<Response>) =>
    async (c: Context) => {
      const name = await logins.name(c)
      if (name === undefined) return c.html(loginPage(), 401)
      return handle(c, name, c.req.method === 'POST' ? await formOf(c) : {})
    }

  app.get('/', async (c) => {
    const name = await logins.name(c)
    return name === undefined ? c.html(loginPage()) : c.html(accountPage(await view(name)))
  })

  app.post('/new', async (c) => {
    const { name = '', password = '' } = await formOf(c)
    const wrong = await passwords.signUp(name, password)
    if (wrong !== undefined) return c.html(loginPage(wrong), 400)
    await logins.start(c, name)
    return c.redirect('/account', 303)
  })

  app.post('/login', async (c) => {
    const { name = '', password = '' } = await formOf(c)
    if (!(await passwords.check(name, password)))
      return c.html(loginPage('Name or password is not right.'), 401)
    await logins.start(c, name)
    return c.redirect('/account', 303)
  })

  app.post('/logout', async (c) => {
    await logins.end(c)
    return c.redirect('/account', 303)
  })

  app.post(
    '/challenge',
    own(async (c, name) => {
      const { challenge, audience, expiresAt } = await enrolment.challenge(name)
      const minutes = Math.floor((expiresAt - service.now()) / 60)
      return c.html(accountPage(await view(name, { challenge, url: audience + ENROLMENT_PATH, minutes })))
    }),
  )

  app.post(
    '/answer',
    own(async (c, name, { enrolment: text = '' }) => {
      try {
        const { user_did } = await enrolment.receive(JSON.parse(text))
        return c.html(accountPage(await view(name), `${user_did} is linked.`))
      } catch (error) {
        if (!(error instanceof HandshakeError || error instanceof SyntaxError)) throw error
        return c.html(accountPage(await view(name), 'That is no answer to a challenge that is open.'), 400)
      }
    }),
  )

  app.post(
    '/unlink',
    own(async (c, name, { did = '' }) => {
      const isUnlinked = await enrolment.unlink(name, did)
      const note = isUnlinked
        ? `${did} is unlinked; what its agents were granted has ended.`
        : 'There is no such link.'
      return c.html(accountPage(await view(name), note))
    }),
  )
  return app
}

async function formOf(c: Context): Promise<Record<string, string>> {
  const form = await c.req.parseBody()
  return Object.fromEntries(
    Object.entries(form).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
