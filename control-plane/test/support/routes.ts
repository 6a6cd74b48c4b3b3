// The route table as the application itself tells it, so that a test which walks it cannot forget a new route.
import type { ControlPlane } from './control-plane.ts'

export interface Operation {
  id: string
  method: string
  /** `/v1/orgs/{org}` */
  path: string
  isPublic: boolean
}

export function operationsOf(plane: ControlPlane): Operation[] {
  const document = plane.app.swagger() as unknown as {
    paths: Record<string, Record<string, { operationId: string; security?: object[] }>>
  }
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      isPublic: !JSON.stringify(operation.security ?? []).includes('access_token')
    }))
  )
}

/** A body that each route with one accepts, for objects that exist. */
export const bodies: Readonly<Record<string, object>> = {
  register: {
    email: 'zoe@example.com',
    password: 'correct horse battery',
    first_name: 'Zoe',
    last_name: 'Example',
    org_name: 'Zoe & co'
  },
  login: { email: 'zoe@example.com', password: 'correct horse battery' },
  verifyEmail: { token: 'A'.repeat(43) },
  resendVerification: { email: 'zoe@example.com' },
  forgotPassword: { email: 'zoe@example.com' },
  resetPassword: { token: 'A'.repeat(43), password: 'correct horse battery' },
  updateMe: { first_name: 'Zoe' },
  createOrg: { name: 'second' },
  updateOrg: { name: 'renamed' },
  createEndpoint: { name: 'new', chain: 'demo' },
  updateEndpoint: { status: 'paused' },
  rotateKey: { overlap_seconds: 0 },
  createChain: { name: 'other', kind: 'rest' },
  updateChain: { method_weights: { eth_call: 2 } },
  createUpstream: { name: 'node', url: 'https://node.example.com/secret' },
  updateUpstream: { name: 'renamed' }
}

/** `/v1/orgs/{org}` with its places filled. */
export function fill(path: string, places: Readonly<Record<string, string>>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_match, name: string) => {
    const value = places[name]
    if (value === undefined) throw new Error(`this test does not know what ${name} is in ${path}`)
    return value
  })
}
