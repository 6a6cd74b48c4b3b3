// Whose time a sample of V8's profiler is.
import t from 'tap'
import { partOf, partsOf } from '../profile/profile.ts'

t.test('profile: scripts belong to a file of ours, a package, or Node', async (t) => {
  t.equal(partOf('file:///home/x/sluice/gateway/stages/charge.ts'), 'gateway/stages/charge')
  t.equal(partOf('/srv/node_modules/undici/lib/dispatcher/client.js'), 'undici')
  t.equal(partOf('/srv/node_modules/@uwsjs/core/index.js'), '@uwsjs/core')
  t.equal(partOf('/srv/node_modules/a/node_modules/b/c.js'), 'b')
  t.equal(partOf('node:net'), 'node')
})

t.test(
  'profile: native time is its caller’s, the longest comes first, nothing is lost',
  async (t) => {
    const frame = (functionName: string, url = '') => ({ functionName, url })
    const parts = partsOf({
      nodes: [
        { id: 1, callFrame: frame('(root)'), children: [2, 5] },
        { id: 2, callFrame: frame('head', 'file:///a/gateway/stages/respond.ts'), children: [3] },
        { id: 3, callFrame: frame('cork'), children: [4] },
        { id: 4, callFrame: frame('end') },
        { id: 5, callFrame: frame('(idle)') }
      ],
      samples: [2, 4, 3, 5, 4],
      timeDeltas: [10, 100, 50, 5, 100]
    })
    t.same(parts, [
      { name: 'gateway/stages/respond: native', us: 250 },
      { name: 'gateway/stages/respond', us: 10 },
      { name: '(idle)', us: 5 }
    ])
  }
)
