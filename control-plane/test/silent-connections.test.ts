// A stop waits for requests, not for connections that never sent one.
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'

t.test('a connection over which nothing was sent does not hold up a stop', async (t) => {
  const plane = await startControlPlane({ migrated: false })
  const accepted = once(plane.app.server, 'connection')
  const silent = connect(plane.port, '127.0.0.1').resume()
  const closed = once(silent, 'close')
  await accepted
  await plane.stop()
  await closed
  t.pass('it was closed from here')
})
