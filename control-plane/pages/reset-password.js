import { element, explain, lead, offerNewLink, onSubmit, post, problem, show, takeToken } from './account.js'

const token = takeToken()

function askForLink(text) {
  lead(text)
  element('aside').hidden = true
  offerNewLink('/v1/auth/forgot-password')
}

onSubmit('set', async ({ password }) => {
  const { status, body } = await post('/v1/auth/reset-password', { token, password })
  if (status === 204) {
    show(null)
    element('aside').hidden = true
    element('title').textContent = 'New password set'
    lead('Every session has ended. Sign in with the new password.')
  } else if (body.code === 'email_token_invalid') {
    askForLink('This link was used, or is older than an hour. Ask for a new one.')
  } else problem(explain(body), body)
})

if (token === null) askForLink('Enter the address of your account: a link to set a new password is sent there.')
else {
  element('aside').hidden = false
  show('set')
}
