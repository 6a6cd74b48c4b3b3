// The pages that the links in mails lead to, until there is a portal: /verify-email and /reset-password. They call the API
// as any other client does. Nothing in them runs or loads but their own files, and no form leaves them by itself.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { App } from '../http/app-type.ts'

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const files: readonly { path: string; file: string; type: string }[] = [
  { path: '/verify-email', file: 'verify-email.html', type: 'text/html; charset=utf-8' },
  { path: '/reset-password', file: 'reset-password.html', type: 'text/html; charset=utf-8' },
  ...['account.js', 'verify-email.js', 'reset-password.js'].map((file) => ({
    path: `/pages/${file}`,
    file,
    type: 'text/javascript; charset=utf-8'
  })),
  { path: '/pages/account.css', file: 'account.css', type: 'text/css; charset=utf-8' }
]

export function registerPages(app: App): void {
  for (const { path, file, type } of files) {
    const content = readFileSync(join(import.meta.dirname, file))
    app.get(path, { schema: { hide: true } }, async (_request, reply) =>
      reply
        .header('content-security-policy', policy)
        .header('cache-control', 'no-cache')
        .type(type)
        .send(content)
    )
  }
}
