import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPeople } from '../../../packages/cli/test/ath.ts'
import { fetchWith } from './fetch-with.ts'

const { at, ath, shop, end } = createPeople()
let origin = ''
let serverDid = ''
let userDid = ''
let fetch: ReturnType<typeof fetchWith>

beforeAll(async () => {
  const [service, user] = await Promise.all([shop(), ath('user', 'init', '--json')])
  origin = service.origin
  serverDid = service.server_did
  userDid = String(user.last.did)
  fetch = fetchWith(readFileSync(at('ca.pem'), 'utf8'))
}, 30_000)
afterAll(end)

/** A browser, as far as these pages need one. */
function browser() {
  let cookie = ''
  return async (path: string, form?: Record<string, string>, headers: Record<string, string> = {}) => {
    const response = await fetch(`${origin}${path}`, {
      method: form === undefined ? 'GET' : 'POST',
      body: form === undefined ? null : new URLSearchParams(form).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', cookie, origin, ...headers },
    })
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
}

const ALICE = { name: 'alice', password: 'correct horse' }
const enrol = (challenge: string, ...more: string[]) =>
  ath('user', 'enrol', origin, '--challenge', challenge, '--ca', at('ca.pem'), '--json', ...more)
const challengeIn = (text: string) => /id="challenge">([^<]+)</.exec(text)?.[1] ?? ''

describe('the account page (ATH-4.7)', () => {
  test('gives the challenge, ath enrol brings the answer, and to unlink ends it', async () => {
    const visit = browser()
    expect((await visit('/account')).text).toContain('Log in')
    const opened = await visit('/account/new', ALICE)
    expect([opened.status, opened.headers.get('location')]).toEqual([303, '/account'])
    expect(opened.headers.get('set-cookie')).toMatch(/^__Host-shop=.+; HttpOnly; Secure; SameSite=Strict$/)
    const { text, headers } = await visit('/account/challenge', {})
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(text).toContain(`ath enrol ${origin}/ath/enrolment --challenge ${challengeIn(text)}`)
    expect(await enrol(challengeIn(text))).toMatchObject({
      status: 0,
      last: { ok: true, user_did: userDid, server_did: serverDid, origin },
    })
    expect((await visit('/account')).text).toContain(userDid)
    // Used up, for whoever saw it over a shoulder.
    expect(await enrol(challengeIn(text))).toMatchObject({ status: 3, last: { error: 'signature_invalid' } })
    const grants = () => ath('user', 'grants', origin, '--ca', at('ca.pem'), '--server', serverDid, '--json')
    expect((await grants()).last).toEqual({ ok: true, grants: [] })
    expect((await visit('/account/unlink', { did: userDid })).text).toContain('is unlinked')
    expect(await grants()).toMatchObject({ status: 3, last: { error: 'token_invalid' } })
  }, 60_000)

  test('is for whoever is logged in alone', async () => {
    const stranger = browser()
    for (const path of ['/account/challenge', '/account/answer', '/account/unlink']) {
      expect((await stranger(path, { did: userDid })).status).toBe(401)
    }
    expect((await stranger('/account/login', { ...ALICE, password: 'wrong password' })).status).toBe(401)
    expect((await stranger('/account/new', ALICE)).text).toContain('taken')
    expect((await stranger('/account/new', { ...ALICE, name: 'account-1' })).status).toBe(400)
    expect((await stranger('/account/login', ALICE)).status).toBe(303)
    expect((await stranger('/account/challenge', {}, { origin: 'https://evil.example' })).status).toBe(403)
    expect((await stranger('/account/challenge', {})).status).toBe(200)
    await stranger('/account/logout', {})
    expect((await stranger('/account/challenge', {})).status).toBe(401)
  }, 30_000)

  test('takes a pasted answer as well, shows nothing as markup, and says no more of a wrong one', async () => {
    const visit = browser()
    await visit('/account/login', ALICE)
    const wrong = await visit('/account/answer', { enrolment: '<script>' })
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('no answer to a challenge')])
    const { text } = await visit('/account/unlink', { did: '<script>alert(1)</script>' })
    expect(text).not.toContain('<script>')
  }, 30_000)

  test('a password is guessed ten times in ten minutes, and then no more, the right one included', async () => {
    const visit = browser()
    await visit('/account/new', { name: 'bob', password: 'bob’s password' })
    const guesses = Array.from({ length: 11 }, (_, n) =>
      visit('/account/login', { name: 'bob', password: `guess ${n}…` }),
    )
    await Promise.all(guesses)
    expect((await visit('/account/login', { name: 'bob', password: 'bob’s password' })).status).toBe(401)
  }, 30_000)
})
