// The command line of the bench.
import t from 'tap'
import { readOptions, usageOf } from '../options.ts'

const choice = {
  scenarios: ['single', 'limited', 'batch'],
  usualScenarios: ['single', 'limited'],
  contestants: ['sluice', 'haproxy']
}
const read = (...args: string[]) => readOptions(args, choice)

t.test('options: by default the usual scenarios, all contestants, three rounds', async (t) => {
  t.same(read(), {
    task: 'run',
    scenarios: ['single', 'limited'],
    contestants: ['sluice', 'haproxy'],
    rounds: 3,
    measuredSeconds: 2,
    requestsPerSecond: null,
    compareWith: null,
    resultsFolder: null
  })
})

t.test('options: what is named is measured, in the usual order', async (t) => {
  t.match(read('--scenario', 'batch', '--scenario', 'single', '--contestant', 'haproxy'), {
    scenarios: ['single', 'batch'],
    contestants: ['haproxy']
  })
  t.same(read('--all').scenarios, choice.scenarios)
  t.match(read('--rounds', '5', '--seconds', '1', '--rate', '2000', '--results', '/tmp/x'), {
    rounds: 5,
    measuredSeconds: 1,
    requestsPerSecond: 2000,
    resultsFolder: '/tmp/x'
  })
})

t.test('options: a comparison takes one scenario and more rounds', async (t) => {
  t.match(read('--compare', 'HEAD~1'), {
    task: 'run',
    compareWith: 'HEAD~1',
    scenarios: ['single'],
    rounds: 12
  })
  t.match(read('--compare', 'main', '--scenario', 'batch', '--rounds', '4'), {
    scenarios: ['batch'],
    rounds: 4
  })
})

t.test('options: --peers and --help are tasks of their own', async (t) => {
  t.equal(read('--peers').task, 'peers')
  t.equal(read('-h').task, 'help')
})

t.test('options: what is wrong is told, with what would be right', async (t) => {
  const says = (args: string[], message: RegExp) =>
    t.throws(() => readOptions(args, choice), { message })
  says(['--scenario', 'double'], /no scenario called double, only single, limited, batch/)
  says(['--contestant', 'nginx'], /no contestant called nginx, only sluice, haproxy/)
  says(['--rounds', '0'], /--rounds takes a number from 1 to 999999/)
  says(['--seconds', '1.5'], /--seconds takes a number/)
  says(['--rate', 'many'], /--rate takes a number/)
  says(['--all', '--scenario', 'batch'], /--all and --scenario: give one of them/)
  says(['--compare', 'main', '--contestant', 'haproxy'], /leave --contestant out/)
  says(['--compare='], /--compare takes a git ref/)
  says(['--fast'], /Unknown option '--fast'/)
  says(['single'], /Unexpected argument 'single'/)
})

t.test('options: the usage names every scenario and contestant', async (t) => {
  const usage = usageOf(choice)
  for (const name of [...choice.scenarios, ...choice.contestants]) t.match(usage, name)
})
