// Until when the figures are complete: the word of every gateway that runs, and of none that does not.
import t from 'tap'
import { newId } from '../../drizzle/ids.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const endpoint = await endpointOf(plane, ann)
const now = plane.clock().getTime()
// A slow machine must not outlive the ten seconds after which a gateway counts as gone.
const alive = now + 3_600_000
const gone = now - 3_600_000

interface Gateway {
  node: string
  bootId: string
}
const gateway = (node: string): Gateway => ({ node, bootId: newId('boot') })

async function seen({ node, bootId }: Gateway, seenAt: number, bootedAt = now - 1000) {
  await plane.database.pool.query(
    `REPLACE INTO gateway_nodes (node_id, boot_id, booted_at, seen_at, applied_change_id)
     VALUES (?, ?, ?, ?, 0)`,
    [node, bootId, new Date(bootedAt), new Date(seenAt)]
  )
}

async function written(
  { node, bootId }: Gateway,
  completeUntil: number,
  endedAt: Date | null = null
) {
  await plane.database.pool.query(
    `REPLACE INTO usage_writers (boot_id, node_id, seq, complete_until, updated_at, ended_at)
     VALUES (?, ?, 1, ?, ?, ?)`,
    [bootId, node, new Date(completeUntil), new Date(completeUntil), endedAt]
  )
}

async function completeUntil(): Promise<number | null> {
  const answers = await Promise.all(
    ['usage', 'usage/summary'].map((path) => ann.get(`${endpoint.path}/${path}`))
  )
  const [one, other] = answers.map(({ body }) => body.complete_until)
  t.equal(one, other, 'the series and the summary say the same')
  return one === null ? null : Date.parse(one)
}

const [one, two] = [gateway('one'), gateway('two')]

t.test('while no gateway runs nothing is known', async (t) => {
  t.equal(await completeUntil(), null)
  await seen(one, gone)
  await written(one, now - 5000)
  t.equal(await completeUntil(), null, 'nor when all are gone')
})

t.test('it is what the one that is furthest behind has written', async (t) => {
  await seen(one, alive)
  await seen(two, alive)
  await written(two, now - 9000)
  t.equal(await completeUntil(), now - 9000)
  await written(two, now - 2000)
  t.equal(await completeUntil(), now - 5000)
})

t.test('a gateway that is gone does not hold it back', async (t) => {
  await seen(one, gone)
  t.equal(await completeUntil(), now - 2000)
})

t.test('nor does the boot before, nor one that has ended in good order', async (t) => {
  const again = { node: 'one', bootId: newId('boot') }
  await seen(again, alive)
  await written(again, now - 500)
  t.equal(await completeUntil(), now - 2000, 'the boot before wrote until 5 s ago')
  await written(two, now - 2000, new Date(now - 2000))
  t.equal(await completeUntil(), now - 500)
})

t.test('a gateway that has not written yet has nothing from before its start', async (t) => {
  await seen(gateway('three'), alive, now - 700)
  t.equal(await completeUntil(), now - 700)
})
