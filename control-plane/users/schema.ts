// Shapes of accounts on the wire, and what each route promises.
import Type, { type Static } from 'typebox'
import { label, moment, noContent } from '../http/fields.ts'
import type { UserRow } from './repo.ts'

const email = Type.String({ minLength: 3, maxLength: 320, description: 'an email address' })

export const newPassword = Type.String({
  minLength: 12,
  maxLength: 256,
  // Half characters all become the same one (U+FFFD), and so would every password made of them.
  pattern: '^[^\\p{Cs}\\ufffd]*$',
  description:
    '12 to 256 characters, none of the common passwords, not your name or address; a long phrase beats a short riddle'
})

const token = Type.String({
  pattern: '^[A-Za-z0-9_-]{43}$',
  description: 'the token from the link in the mail'
})

export const userSchema = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    first_name: Type.String(),
    last_name: Type.String(),
    email_verified: Type.Boolean(),
    is_operator: Type.Boolean(),
    created_at: moment('when the account was created')
  },
  { title: 'User' }
)

export function presentUser(user: UserRow): Static<typeof userSchema> {
  return {
    id: user.id,
    email: user.email,
    first_name: user.firstName,
    last_name: user.lastName,
    email_verified: user.emailVerifiedAt !== null,
    is_operator: user.isOperator,
    created_at: user.createdAt.toISOString()
  }
}

const closed = { additionalProperties: false }
const sent = Type.Object({ email: Type.String(), message: Type.String() })

export const registerRoute = {
  operationId: 'register',
  summary: 'Create an account and its first org',
  description:
    'The answer does not tell whether the address already has an account: its owner gets a mail either way.',
  tags: ['auth'],
  body: Type.Object(
    {
      email,
      password: newPassword,
      first_name: label('your first name'),
      last_name: label('your last name'),
      org_name: label('the name of your org')
    },
    closed
  ),
  response: { 201: sent }
}

export const verifyEmailRoute = {
  operationId: 'verifyEmail',
  summary: 'Prove an email address with the token that was mailed to it',
  description:
    'Only for who registered: send the cookie of a session of the account, or its password; without, `password_required`. Who has neither sets a new password, which ends every session and verifies the address too.',
  tags: ['auth'],
  body: Type.Object(
    {
      token,
      password: Type.Optional(
        Type.String({
          maxLength: 1024,
          description: 'that of the account; not needed where its session is open'
        })
      )
    },
    closed
  ),
  response: { 200: Type.Object({ email: Type.String(), email_verified: Type.Boolean() }) }
}

export const resendVerificationRoute = {
  operationId: 'resendVerification',
  summary: 'Mail a new verification token',
  description: 'The answer is the same for an address without an account, or already verified.',
  tags: ['auth'],
  body: Type.Object({ email }, closed),
  response: { 202: sent }
}

export const forgotPasswordRoute = {
  operationId: 'forgotPassword',
  summary: 'Mail a token with which a new password can be set',
  description: 'The answer is the same for an address without an account.',
  tags: ['auth'],
  body: Type.Object({ email }, closed),
  response: { 202: sent }
}

export const resetPasswordRoute = {
  operationId: 'resetPassword',
  summary: 'Set a new password with the token that was mailed',
  description:
    'Ends every session of the account and every other link that sets its password, and verifies its address.',
  tags: ['auth'],
  body: Type.Object({ token, password: newPassword }, closed),
  response: { 204: noContent }
}

export const readMeRoute = {
  operationId: 'readMe',
  summary: 'Read your account',
  description: 'Name, address, whether the address is verified, and whether you are the operator.',
  tags: ['me'],
  response: { 200: userSchema }
}

export const updateMeRoute = {
  operationId: 'updateMe',
  summary: 'Change your name',
  description: 'Only the fields that are named change.',
  tags: ['me'],
  body: Type.Object(
    {
      first_name: Type.Optional(label('your first name')),
      last_name: Type.Optional(label('your last name'))
    },
    { ...closed, minProperties: 1 }
  ),
  response: { 200: userSchema }
}
