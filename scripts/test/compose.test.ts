// docker-compose.yml and the image can only be run where there is an engine; what can be wrong without one is checked
// here: names of settings, and files that are mentioned and must be there.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environmentSchema as controlPlaneSchema } from '../../control-plane/config.ts'
import { environmentSchema as gatewaySchema } from '../../gateway/config.ts'
import { projectRoot } from '../config.ts'

const read = (name: string) => readFileSync(join(projectRoot, name), 'utf8')
const compose = read('docker-compose.yml')

t.test('every setting in docker-compose.yml is one that a process reads', async (t) => {
  const known = new Set([
    ...Object.keys(gatewaySchema.properties),
    ...Object.keys(controlPlaneSchema.properties)
  ])
  const names = [...compose.matchAll(/^ +([A-Z][A-Z_]+):/gm)].map(([, name = '']) => name)
  const ours = names.filter((name) => !name.startsWith('MYSQL_'))
  t.ok(ours.length > 10)
  t.same(
    ours.filter((name) => !known.has(name)),
    []
  )
})

t.test('every file that is run or mounted is there, and in the image', async (t) => {
  const mentioned = (text: string) =>
    [...text.matchAll(/(?:scripts|gateway|control-plane)\/[\w.-]+\.(?:ts|sh|yml)/g)].map(
      ([path]) => path
    )
  const paths = new Set([...mentioned(compose), ...mentioned(read('Dockerfile'))])
  t.ok(paths.size >= 6)
  for (const path of paths) t.ok(existsSync(join(projectRoot, path)), path)
  const ignored = read('.dockerignore')
  for (const [, from = ''] of read('Dockerfile').matchAll(/^COPY (.+) \S+$/gm)) {
    for (const path of from.split(' ')) {
      t.match(ignored, new RegExp(`^!${path.split('/')[0]}$`, 'm'), `${path} reaches the build`)
    }
  }
})
