// The proof that a change is in force: on which gateways, since when, and never a yes that is not known.
import t from 'tap'
import { newId } from '../../drizzle/ids.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)

interface Gateway {
  nodeId: string
  bootId: string
}

/** What a gateway writes about itself. */
async function report(
  gateway: Gateway,
  state: { appliedChangeId: number; bootedAt: Date; seenAt?: Date }
): Promise<void> {
  await plane.database.pool.query(
    `REPLACE INTO gateway_nodes (node_id, boot_id, booted_at, seen_at, applied_change_id)
     VALUES (?, ?, ?, ?, ?)`,
    [
      gateway.nodeId,
      gateway.bootId,
      state.bootedAt,
      state.seenAt ?? plane.clock(),
      state.appliedChangeId
    ]
  )
}

async function apply(gateway: Gateway, changeId: number, appliedAt: Date): Promise<void> {
  await plane.database.pool.query('INSERT INTO change_applications VALUES (?, ?, ?, ?)', [
    changeId,
    gateway.nodeId,
    gateway.bootId,
    appliedAt
  ])
}

const gateway = (nodeId: string): Gateway => ({ nodeId, bootId: newId('boot') })
const hourAgo = () => new Date(plane.clock().getTime() - 3_600_000)

t.test(
  'a change is effective when every gateway that runs has applied it, and not before',
  async (t) => {
    const rotated = await ann.post(`${endpoint.path}/rotate`, { overlap_seconds: 0 })
    const id: number = rotated.body.change_id
    const theOperator = await operator(plane)
    const read = async () => (await theOperator.get(`/v1/changes/${id}`)).body
    t.match(await read(), { id, entity: 'key', effective: false, effective_at: null, gateways: [] })

    const [one, two] = [gateway('node-1'), gateway('node-2')]
    await report(one, { appliedChangeId: id, bootedAt: hourAgo() })
    await report(two, { appliedChangeId: id - 1, bootedAt: hourAgo() })
    const firstAt = new Date(plane.clock().getTime() + 100)
    await apply(one, id, firstAt)
    t.match(await read(), {
      effective: false,
      effective_at: null,
      applied: 1,
      gateways: [
        { node_id: 'node-1', applied: true, applied_at: firstAt.toISOString() },
        { node_id: 'node-2', applied: false, applied_at: null }
      ]
    })

    const secondAt = new Date(firstAt.getTime() + 100)
    await apply(two, id, secondAt)
    await report(two, { appliedChangeId: id, bootedAt: hourAgo() })
    t.match(await read(), { effective: true, effective_at: secondAt.toISOString(), applied: 2 })

    const asTenant = await ann.get(`/v1/changes/${id}`)
    t.match(asTenant.body, { gateways: [{ node_id: 'gateway-1' }, { node_id: 'gateway-2' }] })
    t.notMatch(JSON.stringify(asTenant.body), 'node-', 'names of hosts are the operator’s')
  }
)

t.test('a gateway that started after the change never knew the state before', async (t) => {
  const { body } = await ann.patch(endpoint.path, { status: 'paused' })
  const bootedAt = new Date(plane.clock().getTime() + 1000)
  await plane.database.pool.query('DELETE FROM gateway_nodes')
  await report(gateway('node-3'), { appliedChangeId: body.change_id, bootedAt })
  const change = await ann.get(`/v1/changes/${body.change_id}`)
  t.match(change.body, { effective: true, effective_at: bootedAt.toISOString() })
})

t.test('a gateway that was not seen for ten seconds does not count', async (t) => {
  const { body } = await ann.patch(endpoint.path, { status: 'active' })
  await plane.database.pool.query('DELETE FROM gateway_nodes')
  const seenAt = new Date(plane.clock().getTime() - 10_001)
  await report(gateway('gone'), { appliedChangeId: 0, bootedAt: hourAgo(), seenAt })
  const running = gateway('node-4')
  await report(running, { appliedChangeId: body.change_id, bootedAt: hourAgo() })
  await apply(running, body.change_id, plane.clock())
  const change = await ann.get(`/v1/changes/${body.change_id}`)
  t.match(change.body, { effective: true, gateways: [{ node_id: 'gateway-1' }] })
})

t.test('an application by an earlier life of a gateway says nothing about this one', async (t) => {
  const { body } = await ann.patch(endpoint.path, { name: 'renamed' })
  await plane.database.pool.query('DELETE FROM gateway_nodes')
  await apply(gateway('node-5'), body.change_id, plane.clock())
  await report(gateway('node-5'), { appliedChangeId: body.change_id - 1, bootedAt: hourAgo() })
  const change = await ann.get(`/v1/changes/${body.change_id}`)
  t.match(change.body, { effective: false, applied: 0 })
})

t.test('what is no change is not found', async (t) => {
  for (const id of ['0', '-1', '999999', 'x', '1.5', '99999999999999999999']) {
    t.equal((await ann.get(`/v1/changes/${id}`)).status, 404, id)
  }
})
