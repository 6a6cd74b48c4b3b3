// Who runs on which core, and what processes hold.

import { once } from 'node:events'
import t from 'tap'
import { spawn } from '../../scripts/test/support/processes.ts'
import { placementOf } from '../machine.ts'
import { memoryOf, parseRollup } from '../memory.ts'
import { processTreeOf } from '../process-tree.ts'

const skip = process.platform === 'linux' ? false : 'only Linux has /proc'

t.test(
  'placement: a core for each thread of the contestant, and one at least for the load',
  async (t) => {
    t.same(placementOf(1, 2), { contestant: [0], load: [1] })
    t.same(placementOf(4, 2), { contestant: [0], load: [1] }, 'four threads share one of two cores')
    t.same(placementOf(2, 4), { contestant: [0, 1], load: [2, 3] })
    t.same(placementOf(4, 4), { contestant: [0, 1, 2], load: [3] })
    t.same(
      placementOf(1, 1),
      { contestant: [0], load: [1] },
      'names a core that is not there: not pinned'
    )
  }
)

t.test('memory: resident and proportional bytes are read from the rollup', async (t) => {
  const text =
    'aa-bb ---p 00000000 00:00 0 [rollup]\nRss:    2048 kB\nPss:    1024 kB\nPss_Dirty:  7 kB\n'
  t.same(parseRollup(text), { rssBytes: 2 ** 21, pssBytes: 2 ** 20 })
  t.throws(() => parseRollup('Rss: 1 kB\n'), /no Pss/)
})

t.test('memory: of several processes it is the sum', { skip }, async (t) => {
  const own = memoryOf([process.pid])
  const twice = memoryOf([process.pid, process.pid])
  t.ok(own !== null && twice !== null && own.pssBytes > 1e6 && own.rssBytes >= own.pssBytes)
  t.ok((twice?.rssBytes ?? 0) > (own?.rssBytes ?? 0))
})

t.test('process tree: a process, its children and theirs', { skip }, async (t) => {
  const child = spawn('sh', ['-c', 'sleep 600 & echo $!; wait'], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [text] = (await once(child.stdout, 'data')) as [Buffer]
  const [pid, grandchild] = [child.pid as number, Number(text.toString())]
  t.same(processTreeOf(pid), [pid, grandchild])
  t.ok(processTreeOf(process.pid).includes(grandchild))
  process.kill(grandchild)
  await once(child, 'exit')
})
