import { html, raw } from 'hono/html'

type Html = ReturnType<typeof html>

const STYLE = `body{font:16px/1.5 system-ui;max-width:42rem;margin:3rem auto;padding:0 1rem}
code{overflow-wrap:anywhere;background:#eee;padding:.1em .3em}form{margin:1rem 0}label{display:block}
textarea{width:100%;height:6rem}.note{padding:.5rem 1rem;background:#ffd}`

const page = (note: string | undefined, content: Html): Html => html`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The Shop · account</title><style>${raw(STYLE)}</style>
<h1>The Shop</h1>${note === undefined ? '' : html`<p class="note">${note}</p>`}${content}</html>`

const credentials = (action: string, button: string): Html => html`<form method="post" action="${action}">
<label>Name <input name="name" required autocomplete="username"></label>
<label>Password <input name="password" type="password" required></label><button>${button}</button></form>`

export const loginPage = (note?: string): Html =>
  page(
    note,
    html`<h2>Log in</h2>${credentials('/account/login', 'Log in')}<h2>Or open an account</h2>${credentials('/account/new', 'Open it')}`,
  )

export interface AccountView {
  readonly name: string
  readonly linked: readonly string[]
  readonly serverDid: string
  /** Shown once, where one was asked for. */
  readonly offer?: { readonly challenge: string; readonly url: string; readonly minutes: number }
}

export const accountPage = ({ name, linked, serverDid, offer }: AccountView, note?: string): Html =>
  page(
    note,
    html`<p>Logged in as ${name}. This shop is <code>${serverDid}</code>.</p>
<h2>Identities that may authorize agents</h2>
${linked.length === 0 ? html`<p>None yet.</p>` : linked.map(linkOf)}
${offer === undefined ? html`<form method="post" action="/account/challenge"><button>Link an identity</button></form>` : offerOf(offer)}
<form method="post" action="/account/logout"><button>Log out</button></form>`,
  )

const linkOf = (did: string): Html => html`<form method="post" action="/account/unlink"><code>${did}</code>
<input type="hidden" name="did" value="${did}"><button>Unlink, and end what its agents may do</button></form>`

const offerOf = ({ challenge, url, minutes }: NonNullable<AccountView['offer']>): Html => html`
<p>Within ${minutes} minutes, run this where your identity is. Show the challenge to nobody: whoever has it can link an identity of theirs
to your account.</p>
<p><code id="command">ath enrol ${url} --challenge ${challenge}</code></p>
<p>Challenge: <code id="challenge">${challenge}</code></p>
<p>Or sign it elsewhere and paste the signed enrolment here:</p>
<form method="post" action="/account/answer"><textarea name="enrolment" required></textarea><button>Link</button></form>`
