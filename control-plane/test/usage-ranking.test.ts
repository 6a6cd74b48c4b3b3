// Which groups are told apart in an org with more keys than can be looked at one by one: the most called, and nothing of the
// others is lost.
import t from 'tap'
import { hashApiKey } from '../../drizzle/api-key.ts'
import { newId } from '../../drizzle/ids.ts'
import { apiKeys, endpoints } from '../../drizzle/schema/endpoints.ts'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member } from './support/people.ts'
import { type Called, recordCalls } from './support/usage.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
await endpointOf(plane, ann)
const { body: chain } = await ann.get('/v1/chains/demo')
const orgPath = `/v1/orgs/${ann.orgId}`

const at = plane.clock()
const stamps = { createdAt: at, updatedAt: at }
const places = Array.from({ length: 200 }, () => ({ endpointId: newId('ep'), keyId: newId('key') }))
await plane.database.orm.insert(endpoints).values(
  places.map(({ endpointId }) => ({
    id: endpointId,
    orgId: ann.orgId,
    chainId: chain.id,
    name: 'one of many',
    status: 'active' as const,
    ...stamps
  }))
)
await plane.database.orm.insert(apiKeys).values(
  places.map(({ endpointId, keyId }) => ({
    id: keyId,
    endpointId,
    hash: hashApiKey(keyId),
    prefix: 'slc_',
    last4: 'many',
    createdAt: at
  }))
)
// The n-th is called 1000 - n times, and for a method of its own the other way round.
await recordCalls(
  plane.database,
  places.flatMap(({ endpointId, keyId }, place): Called[] => {
    const common = { orgId: ann.orgId, endpointId, chainId: chain.id, keyId, at }
    return [
      { ...common, ok: 999 - 2 * place },
      { ...common, method: 'eth_rare', ok: 1 + place }
    ]
  })
)
const idAt = (place: number, of: 'keyId' | 'endpointId') => places[place]?.[of] ?? ''

async function callsByGroup(groupBy: string, query: string): Promise<[string, number][]> {
  const { body } = await ann.get(`${orgPath}/usage?step=1d&groups=3&group_by=${groupBy}&${query}`)
  return body.data.map((point: Record<string, string> & { calls: number }) => [
    point[groupBy],
    point.calls
  ])
}
const everything = places.reduce((sum, _, place) => sum + 1000 - place, 0)
const everythingRare = places.reduce((sum, _, place) => sum + 1 + place, 0)

t.test('the most called keys of two hundred', async (t) => {
  const calls = [1000, 999, 998]
  const others = everything - calls.reduce((sum, one) => sum + one, 0)
  t.same(await callsByGroup('key', ''), [
    ...calls.map((count, place) => [idAt(place, 'keyId'), count]),
    ['_other', others]
  ])
  t.same(await callsByGroup('endpoint', ''), [
    ...calls.map((count, place) => [idAt(place, 'endpointId'), count]),
    ['_other', others]
  ])
})

t.test('with a filter they are looked for among the endpoints that are called most', async (t) => {
  const found = await callsByGroup('key', 'method=eth_rare')
  const expected = [119, 118, 117].map((place) => [idAt(place, 'keyId'), place + 1])
  t.same(found.slice(0, 3), expected)
  t.same(found[3], ['_other', everythingRare - 120 - 119 - 118], 'and nothing is lost')
})

t.test('a filter that leaves nothing leaves no groups', async (t) => {
  t.same(await callsByGroup('key', 'method=eth_nothing'), [])
})
