// The configurations that other programs are started with.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { renderPeerFile } from '../contestants/installed.ts'
import { fill } from '../template.ts'

const folder = join(import.meta.dirname, '../peers')
const names = readdirSync(folder).filter((name) => !name.endsWith('.ts'))
const values = {
  port: 41_001,
  upstreamPort: 41_002,
  threads: 3,
  folder: '/scratch/peer',
  keysFile: '/scratch/peer/keys'
}

t.test('peers: every configuration can be filled in, and leaves no gap', async (t) => {
  t.ok(names.length >= 6, names.join(' '))
  for (const name of names) t.notMatch(renderPeerFile(name, values), /\{\{|undefined/, name)
})

t.test('peers: each listens on the loopback address alone, and asks the upstream', async (t) => {
  const servers = names.filter((name) => !name.endsWith('.lua'))
  t.equal(servers.length, 4)
  for (const name of servers) {
    const text = renderPeerFile(name, values)
    t.match(text, /127\.0\.0\.1:41001|bind 127\.0\.0\.1/, name)
    t.match(text, '127.0.0.1:41002', name)
    t.notMatch(
      text,
      /0\.0\.0\.0|access_log (?!off)|log global/,
      `${name} writes no log of accesses`
    )
  }
})

t.test('peers: each has as many threads as it is told', async (t) => {
  t.match(renderPeerFile('nginx-lua.conf', values), 'worker_processes 3;')
  t.match(renderPeerFile('nginx-limit-req.conf', values), 'worker_processes 3;')
  t.match(renderPeerFile('haproxy.cfg', values), 'nbthread 3')
})

t.test('peers: keys come from the file of the run', async (t) => {
  t.match(renderPeerFile('nginx-lua-init.lua', values), 'io.lines("/scratch/peer/keys")')
  t.match(renderPeerFile('nginx-lua.conf', values), 'access_by_lua_file /scratch/peer/')
  t.match(renderPeerFile('nginx-limit-req.conf', values), 'include /scratch/peer/keys;')
  t.match(renderPeerFile('haproxy.cfg', values), 'map_str_int(/scratch/peer/keys)')
})

t.test('peers: connections to the upstream are kept', async (t) => {
  const text = (name: string) => readFileSync(join(folder, name), 'utf8')
  for (const name of ['nginx-lua.conf', 'nginx-limit-req.conf']) {
    t.match(text(name), /keepalive 512;/)
    t.match(text(name), /proxy_http_version 1\.1;\s+proxy_set_header Connection "";/)
  }
  t.match(text('haproxy.cfg'), 'http-reuse always')
  t.match(text('Caddyfile'), 'keepalive_idle_conns_per_host 512')
})

t.test('template: a gap without a value and a value without a gap are errors', async (t) => {
  t.equal(fill('listen {{port}};', { port: 1 }), 'listen 1;')
  t.throws(() => fill('{{port}} {{threads}}', { port: 1 }), /nothing is known of {{threads}}/)
  t.throws(() => fill('{{port}}', { port: 1, prot: 2 }), /there is no {{prot}}/)
})
