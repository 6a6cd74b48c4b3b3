// Shapes of sessions on the wire, and what each route promises.
import Type from 'typebox'
import { noContent } from '../http/fields.ts'

const accessToken = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.String({ description: 'Bearer' }),
    expires_in: Type.Integer({ description: 'seconds' })
  },
  { title: 'AccessToken' }
)

const withCookie = [{ refresh_token: [] }]

export const loginRoute = {
  operationId: 'login',
  summary: 'Log in',
  description:
    'Answers an access token, and sets two cookies that scripts cannot read: the refresh token, and one by which this browser is known. After ten failures in 15 minutes from one place the answer is 429 there; after 100 in a row, `sign_in_guarded` for browsers that are not known, until a new password is set by mail.',
  tags: ['auth'],
  body: Type.Object(
    {
      email: Type.String({ maxLength: 320, description: 'an email address' }),
      password: Type.String({ maxLength: 1024, description: 'a password' })
    },
    { additionalProperties: false }
  ),
  response: { 200: accessToken }
}

export const refreshRoute = {
  operationId: 'refresh',
  summary: 'Trade the refresh token for a new access token',
  description:
    'The refresh token is replaced. A used one is answered with the same successor for 30 seconds; after that, its use ends the session.',
  tags: ['auth'],
  security: withCookie,
  response: { 200: accessToken }
}

export const logoutRoute = {
  operationId: 'logout',
  summary: 'End the session',
  description: 'Its access tokens stop at once.',
  tags: ['auth'],
  security: withCookie,
  response: { 204: noContent }
}
