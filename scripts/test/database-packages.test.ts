// Which packages a database server needs is read from what apt says, on any release.
import t from 'tap'
import { readDependencies } from '../database/debian-packages.ts'

t.test(
  'dependencies, their alternatives and the providers of virtual packages are told apart',
  async (t) => {
    const bookworm = `mariadb-server-core
  PreDepends: init-system-helpers
  Depends: mariadb-common
  Depends: libsystemd0
    libelogind0
 |Depends: debconf
  Depends: <debconf-2.0>
    cdebconf
    debconf
  Depends: zlib1g
  Conflicts: <mariadb-galera-server-5.5>
  Breaks: mariadb-server-10.5
  Replaces: mariadb-server
    mariadb-server-core
`
    t.same(readDependencies(bookworm), [
      ['init-system-helpers'],
      ['mariadb-common'],
      ['libsystemd0', 'libelogind0'],
      ['debconf', 'cdebconf', 'debconf'],
      ['zlib1g']
    ])
  }
)

t.test('a package without dependencies has none', async (t) => {
  t.same(readDependencies('mysql-common\n'), [])
  t.same(readDependencies('gcc-12-base\n  Breaks: gnat\n'), [])
})
