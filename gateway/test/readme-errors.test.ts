import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createFailures } from '../errors.ts'

t.test('the table of errors in the README is the catalogue', (t) => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const rows = [...readme.matchAll(/^\| `(\w+)` \| (\d{3}) \| (-\d+) \|/gm)]
  const documented = rows.map(([, reason, status, code]) => [reason, Number(status), Number(code)])
  const catalogue = Object.values(createFailures(402))
  t.same(
    documented,
    catalogue.map(({ reason, status, code }) => [reason, status, code])
  )
  t.end()
})

t.test('QUOTA_STATUS changes the status of quota_exceeded and of nothing else', (t) => {
  const [usual, other] = [createFailures(402), createFailures(429)]
  const changed = Object.values(usual).filter(
    ({ reason, status }) => other[reason as keyof typeof other].status !== status
  )
  t.same(
    changed.map(({ reason }) => reason),
    ['quota_exceeded']
  )
  t.equal(other.quota_exceeded.statusLine, '429 Too Many Requests')
  t.end()
})
