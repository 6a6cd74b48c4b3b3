// Lists: whole, in order, in pages of the size that was asked for, while rows come and go.
import t from 'tap'
import { startControlPlane } from './support/control-plane.ts'
import { endpointOf, member, operator } from './support/people.ts'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const ann = await member(plane, 'ann')
const path = `/v1/orgs/${ann.orgId}/endpoints`
const ids: string[] = []
for (let count = 0; count < 7; count++) ids.push((await endpointOf(plane, ann)).id)

async function walk(limit: number): Promise<string[][]> {
  const pages: string[][] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${cursor}`
    const { body } = await ann.get(`${path}?limit=${limit}${query}`)
    pages.push(body.data.map((endpoint: { id: string }) => endpoint.id))
    t.equal(body.has_more, body.next_cursor !== null)
    cursor = body.next_cursor
  } while (cursor !== null)
  return pages
}

t.test('pages of any size hold every row once, the oldest first', async (t) => {
  for (const limit of [1, 2, 3, 6, 7, 8, 100]) {
    const pages = await walk(limit)
    t.same(pages.flat(), ids)
    t.equal(pages.length, Math.ceil(7 / limit))
    t.ok(pages.every((page) => page.length <= limit))
  }
})

t.test('a cursor stays right when the row it names is deleted', async (t) => {
  const first = await ann.get(`${path}?limit=3`)
  await ann.delete(`${path}/${ids[2]}`)
  const second = await ann.get(`${path}?limit=3&cursor=${first.body.next_cursor}`)
  t.same(
    second.body.data.map((endpoint: { id: string }) => endpoint.id),
    ids.slice(3, 6)
  )
})

t.test('every list is paged alike', async (t) => {
  const theOperator = await operator(plane)
  for (const list of ['/v1/orgs', '/v1/chains', path]) {
    const { body } = await ann.get(list)
    t.match(body, { data: Array, has_more: false, next_cursor: null }, list)
  }
  const all = await theOperator.get('/v1/orgs?scope=all&limit=1')
  t.equal(all.body.data.length, 1)
})

t.test('a limit or a cursor that is none is told', async (t) => {
  const wrong = ['limit=0', 'limit=101', 'limit=x', 'limit=', 'limit=1.5', 'limit=1&limit=2']
  for (const query of [...wrong, 'cursor=', 'cursor=zzz', 'cursor=a&cursor=b', 'offset=1']) {
    const answer = await ann.get(`${path}?${query}`)
    t.match(answer, { status: 400, body: { code: 'validation_failed' } }, query)
    t.match(answer.body.errors, [{ in: 'query' }])
  }
})
