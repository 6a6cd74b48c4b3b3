// "Applied up to change N" must mean every change before N: ids become visible in their own order, whatever the order in
// which transactions begin, write and commit.
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { appendChange } from '../change-log.ts'
import { createTestDatabase } from './support/test-database.ts'

const writers = 8
const changesPerWriter = 12

t.test('a reader that has seen change N has seen every change before it', async (t) => {
  const { database, drop } = await createTestDatabase()
  t.teardown(drop)
  let writing = true
  const gaps: string[] = []

  const read = async () => {
    let looks = 0
    while (writing) {
      const [rows] = await database.pool.query(
        'SELECT COUNT(*) AS n, MAX(id) AS top FROM change_log'
      )
      const { n, top } = (rows as { n: number; top: number | null }[])[0] ?? { n: 0, top: 0 }
      if (n !== (top ?? 0)) gaps.push(`${n} changes are visible, the newest is ${top}`)
      looks++
    }
    return looks
  }
  const write = async (writer: number) => {
    const ids: number[] = []
    for (let round = 0; round < changesPerWriter; round++) {
      const id = await database.orm.transaction(async (tx) => {
        const appended = await appendChange(tx, {
          entity: 'key',
          entityId: `key_${writer}_${round}`
        })
        // A slow writer between its change and its commit is what would let others overtake it.
        await delay((writer * 7 + round * 3) % 10)
        return appended
      })
      ids.push(id)
    }
    return ids
  }

  const reading = read()
  const written = await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
  writing = false
  t.ok((await reading) > 5, 'the reader looked while they wrote')
  t.same(gaps, [])
  const ids = written.flat().sort((a, b) => a - b)
  t.same(
    ids,
    Array.from({ length: writers * changesPerWriter }, (_, index) => index + 1)
  )
})

t.test('a transaction that is rolled back leaves no gap', async (t) => {
  const { database, drop } = await createTestDatabase()
  t.teardown(drop)
  const append = () =>
    database.orm.transaction((tx) => appendChange(tx, { entity: 'org', entityId: 'org_1' }))
  const first = await append()
  await t.rejects(
    database.orm.transaction(async (tx) => {
      await appendChange(tx, { entity: 'org', entityId: 'org_1' })
      throw new Error('no')
    })
  )
  t.equal(await append(), first + 1)
})
