// What both pages share. The token stands behind `#`, which no browser sends to a server; it leaves the address bar at
// once, so that neither the history nor a shared screen keeps it.

export const element = (id) => document.getElementById(id)

export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  history.replaceState(null, '', location.pathname)
  return token
}

// Another link that is opened in the same tab changes nothing but what stands behind `#`.
addEventListener('hashchange', () => location.reload())

/** The answer of the API: its status, and its body when it is JSON. A network that fails is status 0. */
export async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body)
    })
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, body: isJson ? await response.json() : {} }
  } catch {
    return { status: 0, body: { title: 'The server cannot be reached. Try again.' } }
  }
}

export function lead(text) {
  element('lead').textContent = text
  element('problem').hidden = true
}

/** What went wrong, what to do, and the id to ask the operator with. */
export function problem(text, body) {
  const id = body.request_id === undefined ? '' : `\nRequest id: ${body.request_id}`
  element('problem').textContent = `${text}${id}`
  element('problem').hidden = false
}

export function explain(body) {
  const [first] = body.errors ?? []
  if (first?.pointer === '#/password') return `This password ${first.detail}.`
  if (first?.pointer === '#/email') return `The email address ${first.detail}.`
  return [body.title, body.detail].filter(Boolean).join('. ')
}

/** Shows one form, or none, and puts the cursor into its first field. */
export function show(id) {
  for (const form of document.forms) form.hidden = form.id !== id
  if (id !== null) element(id).querySelector('input').focus()
}

export function onSubmit(id, act) {
  element(id).addEventListener('submit', async (event) => {
    event.preventDefault()
    const form = event.currentTarget
    const button = form.querySelector('button')
    element('problem').hidden = true
    button.disabled = true
    await act(Object.fromEntries(new FormData(form)))
    button.disabled = false
  })
}

/** The form that asks for a new link. */
export function offerNewLink(path) {
  show('ask')
  onSubmit('ask', async ({ email }) => {
    const { status, body } = await post(path, { email })
    if (status !== 202) return problem(explain(body), body)
    show(null)
    element('aside').hidden = true
    lead(`If ${body.email} has an account that needs it, a new link is on its way. Only the newest few are sent in an hour.`)
  })
}

element('show').addEventListener('change', ({ currentTarget }) => {
  element('password').type = currentTarget.checked ? 'text' : 'password'
})
