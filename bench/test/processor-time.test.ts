// The figure that every ratio of the bench is made of.
import t from 'tap'
import { parseProcessorTimeUs, processorTimeUs } from '../processor-time.ts'

t.test('processor time is the sum of user and system time, in steps of 10 ms', async (t) => {
  const stat = '42 (node) R 1 42 42 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 11 0 100 1000 10'
  t.equal(parseProcessorTimeUs(stat), 1_750_000)
})

t.test(
  'processor time is read right of a command with spaces and brackets in its name',
  async (t) => {
    const stat = '42 (a) S (b c) R 1 42 42 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 11 0 100 1000 10'
    t.equal(parseProcessorTimeUs(stat), 30_000)
  }
)

t.test(
  'processor time grows with work, and agrees with what Node says',
  {
    skip: process.platform === 'linux' ? false : 'only Linux has /proc'
  },
  async (t) => {
    const before = processorTimeUs(process.pid) ?? 0
    const nodeBefore = process.cpuUsage()
    while (process.cpuUsage(nodeBefore).user < 200_000);
    const node = process.cpuUsage(nodeBefore)
    const used = (processorTimeUs(process.pid) ?? 0) - before
    t.ok(
      Math.abs(used - node.user - node.system) <= 40_000,
      `${used} µs against ${node.user + node.system} µs`
    )
  }
)

t.test(
  'processor time of a process that is not there is an error on Linux',
  {
    skip: process.platform === 'linux' ? false : 'only Linux has /proc'
  },
  async (t) => {
    t.throws(() => processorTimeUs(4_194_305), { code: 'ENOENT' })
  }
)
