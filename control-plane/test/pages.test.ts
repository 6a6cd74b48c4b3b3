// The pages that mailed links lead to: as files, with what they post, and in a real browser where there is one.
import type { Page } from 'playwright-core'
import t from 'tap'
import { findBrowser, openBrowser } from './support/browser.ts'
import { startControlPlane } from './support/control-plane.ts'
import { mailedToken, newcomer } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const pages = ['/verify-email', '/reset-password']

t.test('a mailed link leads to a page of the control plane', async (t) => {
  const ann = await newcomer(plane, 'ann')
  await ann.post('/v1/auth/forgot-password', { email: ann.email })
  const links = (await plane.mails()).flatMap((mail) => mail.match(/^http\S+#token=/gm) ?? [])
  t.equal(links.length, 2)
  for (const link of links) {
    const { origin, pathname } = new URL(link)
    t.equal(origin, plane.config.portalOrigin)
    t.ok(pages.includes(pathname), pathname)
    t.equal((await plane.client().get(pathname)).status, 200)
  }
})

for (const path of pages) {
  t.test(`${path} loads its own files only, runs nothing inline, and is in no frame`, async (t) => {
    const { headers, body } = await plane.client().get(path)
    t.match(headers.get('content-type'), 'text/html')
    t.equal(
      headers.get('content-security-policy'),
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    t.equal(headers.get('referrer-policy'), 'no-referrer')
    t.notMatch(body, /<script(?![^>]* src="\/pages\/)|<style|\sstyle=|\son\w+=/)
    const linked = [...body.matchAll(/(?:src|href)="(\/pages\/[^"]+)"/g)].map(([, url]) => url)
    t.equal(linked.length, 2)
    for (const url of [...linked, '/pages/account.js']) {
      const file = await plane.client().get(url)
      t.equal(file.status, 200, url)
      t.match(file.headers.get('content-type'), /^text\/(css|javascript)/)
      t.equal(file.headers.get('x-content-type-options'), 'nosniff')
    }
  })
}

t.test('what the pages post is what the API takes', async (t) => {
  const bea = await newcomer(plane, 'bea')
  const token = await mailedToken(plane, bea.email)
  const visitor = plane.client()
  const post = (path: string, body: object) =>
    visitor.post(`/v1/auth/${path}`, body, { origin: plane.url })
  t.match((await post('verify-email', { token })).body, { code: 'password_required' })
  t.match((await post('verify-email', { token, password: bea.password })).body, {
    email: bea.email
  })
  t.equal((await post('resend-verification', { email: bea.email })).status, 202)
  t.equal((await post('forgot-password', { email: bea.email })).status, 202)
  const reset = { token: await mailedToken(plane, bea.email), password: 'password1234' }
  t.match((await post('reset-password', reset)).body, { errors: [{ pointer: '#/password' }] })
  t.equal((await post('reset-password', { ...reset, password: 'a wholly new one' })).status, 204)
})

// biome-ignore lint/style/noProcessEnv: where programs are is the machine's business, not a setting
const program = findBrowser(process.env.PATH ?? '')

if (program === null) {
  t.comment('pages in a browser: not installed (Debian: apt-get install chromium)')
} else {
  t.test('in a browser', async (t) => {
    const browser = await openBrowser(program)
    t.teardown(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', ({ message }) => complaints.push(message))
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) complaints.push(message.text())
    })
    const follow = async (url: string) => {
      await page.goto('about:blank')
      await page.goto(url)
    }
    const says = async (text: string) => await page.getByText(text).waitFor()

    await t.test('who registered verifies their address with their password', async (t) => {
      const carl = await newcomer(plane, 'carl')
      await follow(`${plane.url}/verify-email#token=${await mailedToken(plane, carl.email)}`)
      await says('Enter the password that you registered with.')
      t.equal(page.url(), `${plane.url}/verify-email`, 'the token has left the address bar')
      await page.getByLabel('Password', { exact: true }).fill('not the password')
      await page.getByRole('button', { name: 'Verify email address' }).click()
      await says('This is not the password of the account.')
      await page.getByLabel('Password', { exact: true }).fill(carl.password)
      await page.getByRole('button', { name: 'Verify email address' }).click()
      await says('carl@example.com is yours.')
      t.equal((await carl.get('/v1/me')).body.email_verified, true)
    })

    await t.test('in the browser of their session there is nothing to type', async (t) => {
      const dora = await newcomer(plane, 'dora')
      await signInWith(page, dora)
      await follow(`${plane.url}/verify-email#token=${await mailedToken(plane, dora.email)}`)
      await says('dora@example.com is yours.')
      t.equal((await dora.get('/v1/me')).body.email_verified, true)
    })

    await t.test(
      'a password is asked for by address, refused with a reason, and set',
      async (t) => {
        const eve = await newcomer(plane, 'eve')
        await follow(`${plane.url}/reset-password`)
        await page.getByLabel('Email address').fill(eve.email)
        await page.getByRole('button', { name: 'Send a new link' }).click()
        await says('a new link is on its way')
        await follow(`${plane.url}/reset-password#token=${await mailedToken(plane, eve.email)}`)
        await page.reload()
        await says('Enter the address of your account')
        await follow(`${plane.url}/reset-password#token=${await mailedToken(plane, eve.email)}`)
        await page.getByLabel('New password').fill('password1234')
        await page.getByRole('button', { name: 'Set password' }).click()
        await says('This password is one of the passwords that are guessed first.')
        await page.getByLabel('New password').fill('a wholly new one')
        await page.getByRole('button', { name: 'Set password' }).click()
        await says('Every session has ended.')
        const again = Object.assign(plane.client(eve.email), { password: 'a wholly new one' })
        t.equal((await again.login()).status, 200)
      }
    )

    await t.test('a link that was used offers another', async () => {
      await follow(`${plane.url}/verify-email#token=${'A'.repeat(43)}`)
      await says('This link was used')
      await page.getByRole('button', { name: 'Send a new link' }).waitFor()
    })

    t.same(complaints, [], 'nothing broke, and the policy refused nothing')
  })
}

/** As a page of the portal does. */
async function signInWith(page: Page, { email, password }: { email: string; password: string }) {
  await page.goto(`${plane.url}/verify-email`)
  const body = JSON.stringify({ email, password })
  await page.evaluate(async (text) => {
    const headers = { 'content-type': 'application/json' }
    await fetch('/v1/auth/login', { method: 'POST', headers, body: text })
  }, body)
}
