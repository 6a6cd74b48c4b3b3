// People for tests, who came to their accounts the way everybody does.
import { createOperatorAccounts } from '../../users/operator-account.ts'
import { Client } from './client.ts'
import type { ControlPlane } from './control-plane.ts'

export type Person = Client & { orgId: string }

/** Somebody who registered and logged in, and has not verified their address. */
export async function newcomer(plane: ControlPlane, name: string): Promise<Person> {
  const client = plane.client(`${name}@example.com`)
  await client.post('/v1/auth/register', registration(client))
  await client.login()
  const { status, body } = await client.get('/v1/orgs')
  if (status !== 200) throw new Error(`${name} has no orgs: ${status}, ${JSON.stringify(body)}`)
  return Object.assign(client, { orgId: body.data[0].id as string })
}

/** Somebody who registered, verified their address and logged in. */
export async function member(plane: ControlPlane, name: string): Promise<Person> {
  const person = await newcomer(plane, name)
  await person.post('/v1/auth/verify-email', { token: await mailedToken(plane, person.email) })
  return person
}

const operators = new WeakMap<ControlPlane, Promise<Client>>()

/** Somebody with the rights that `npm run operator` gives; one for each control plane. */
export function operator(plane: ControlPlane): Promise<Client> {
  const known = operators.get(plane) ?? newOperator(plane)
  operators.set(plane, known)
  return known
}

async function newOperator(plane: ControlPlane): Promise<Client> {
  const accounts = createOperatorAccounts(plane)
  const { email, password } = await accounts.ensure('operator@example.com', true)
  const client = new Client(plane.url, email, password ?? '')
  await client.login()
  return client
}

export function registration({ email, password }: Pick<Client, 'email' | 'password'>) {
  return { email, password, first_name: 'Ann', last_name: 'Example', org_name: 'Example & co' }
}

/** The token in the newest mail to an address. */
export async function mailedToken(plane: ControlPlane, email: string): Promise<string> {
  const mail = (await plane.mails()).findLast((text) => text.includes(`To: ${email}\n`))
  const token = mail?.match(/#token=([\w-]{43})/)?.[1]
  if (token === undefined) throw new Error(`no token was mailed to ${email}`)
  return token
}

/** A chain called `demo`, and an endpoint on it. */
export async function endpointOf(plane: ControlPlane, person: Person, input: object = {}) {
  const { orgId } = person
  const chains = await person.get('/v1/chains')
  if (chains.body.data.length === 0) {
    await (await operator(plane)).post('/v1/chains', { name: 'demo', kind: 'evm' })
  }
  const { body } = await person.post(`/v1/orgs/${orgId}/endpoints`, {
    name: 'first',
    chain: 'demo',
    ...input
  })
  return { ...body, path: `/v1/orgs/${orgId}/endpoints/${body.id}` }
}
