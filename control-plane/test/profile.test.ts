// What people see and change of themselves.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { newcomer } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await newcomer(plane, 'ann')

t.test('a name changes, the rest stays', async (t) => {
  const before = (await ann.get('/v1/me')).body
  const changed = await ann.patch('/v1/me', { first_name: 'Änne 🦊' })
  t.equal(changed.status, 200)
  t.same(changed.body, { ...before, first_name: 'Änne 🦊' })
  t.same((await ann.get('/v1/me')).body, changed.body)
})

t.test('two changes at the same moment do not undo each other', async (t) => {
  await Promise.all([
    ann.patch('/v1/me', { first_name: 'First' }),
    ann.patch('/v1/me', { last_name: 'Last' })
  ])
  t.match((await ann.get('/v1/me')).body, { first_name: 'First', last_name: 'Last' })
})

t.test('nobody makes an operator of themselves', async (t) => {
  for (const change of [
    { is_operator: true },
    { email_verified: true },
    { email: 'x@example.com' }
  ]) {
    t.equal((await ann.patch('/v1/me', change)).status, 400)
  }
  t.match((await ann.get('/v1/me')).body, { is_operator: false, email_verified: false })
})
