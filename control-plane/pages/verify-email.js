import { element, explain, lead, offerNewLink, onSubmit, post, problem, show, takeToken } from './account.js'

const path = '/v1/auth/verify-email'
const newLinkPath = '/v1/auth/resend-verification'
const token = takeToken()

function judge({ status, body }) {
  if (status === 200) {
    show(null)
    element('aside').hidden = true
    element('title').textContent = 'Email address verified'
    lead(`${body.email} is yours. You can create endpoints now.`)
  } else if (body.code === 'password_required') {
    lead('Enter the password that you registered with.')
    element('aside').hidden = false
    show('prove')
  } else if (body.code === 'email_token_invalid' || body.code === 'validation_failed') {
    lead('This link was used, is older than 24 hours, or is incomplete. If your address is not verified yet, ask for a new link.')
    element('aside').hidden = true
    offerNewLink(newLinkPath)
  } else {
    if (status !== 401) lead('The address could not be verified.')
    show('prove')
    problem(body.code === 'credentials_invalid' ? 'This is not the password of the account.' : explain(body), body)
  }
}

onSubmit('prove', async ({ password }) => judge(await post(path, { token, password })))

// With the session of who registered in this browser there is nothing to ask.
if (token === null) {
  lead('This link is incomplete. Ask for a new one.')
  offerNewLink(newLinkPath)
} else judge(await post(path, { token }))
