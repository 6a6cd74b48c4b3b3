// The texts that are mailed. Plain text: short, with one link on a line of its own. The token stands behind `#`, which
// browsers do not send, so it is in no server's log.

export interface Letter {
  to: string
  subject: string
  text: string
}

export function verifyEmailLetter(to: string, portalOrigin: string, token: string): Letter {
  return {
    to,
    subject: 'Verify your email address',
    text: `Welcome to Sluice. Follow this link to verify your email address:

${portalOrigin}/verify-email#token=${token}

It works once, for 24 hours. If you did not create an account, ignore this mail.
`
  }
}

export function accountExistsLetter(to: string, portalOrigin: string, token: string): Letter {
  return {
    to,
    subject: 'You already have an account',
    text: `Somebody, probably you, tried to create a Sluice account with this email address. It has one
already. Log in, or set a new password here if you have lost yours:

${portalOrigin}/reset-password#token=${token}

The link works once, for one hour. If it was not you, there is nothing to do: nothing has changed.
`
  }
}

export function resetPasswordLetter(to: string, portalOrigin: string, token: string): Letter {
  return {
    to,
    subject: 'Set a new password',
    text: `Follow this link to set a new password for your Sluice account:

${portalOrigin}/reset-password#token=${token}

It works once, for one hour, and ends every session. If you did not ask for it, ignore this mail:
your password stays as it is.
`
  }
}
