// Whose address counts: the TCP peer's, and what proxies on the trusted list say, as far as they say it.
import t from 'tap'
import { createClientAddresses } from '../client-address.ts'
import { Exchange } from '../exchange.ts'

/** As uWS gives it: 4 or 16 bytes. */
function bytesOf(text: string): ArrayBuffer {
  if (!text.includes(':')) return new Uint8Array(text.split('.').map(Number)).buffer
  const [head = '', tail = ''] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const missing = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
  return new Uint8Array(
    all.map((group) => Number.parseInt(group, 16)).flatMap((value) => [value >> 8, value & 255])
  ).buffer
}

function addressOf(peer: string, forwardedFor = '', trusted: string[] = [], more = {}): string {
  const { proxied = '', forwarded = '' }: { proxied?: string; forwarded?: string } = more
  const res = {
    getRemoteAddress: () => bytesOf(peer),
    getProxiedRemoteAddress: () => (proxied === '' ? new ArrayBuffer(0) : bytesOf(proxied))
  }
  const exchange = new Exchange(res as never, 0)
  exchange.forwardedFor = forwardedFor
  exchange.forwarded = forwarded
  return createClientAddresses(trusted).of(exchange)
}

t.test('without trusted proxies the peer is the client, whatever it claims', async (t) => {
  t.equal(addressOf('192.0.2.1'), '192.0.2.1')
  t.equal(addressOf('192.0.2.1', '10.0.0.1'), '192.0.2.1')
  t.equal(addressOf('192.0.2.1', '10.0.0.1', ['10.0.0.0/8']), '192.0.2.1')
})

t.test('addresses have one text form', async (t) => {
  t.equal(addressOf('::ffff:c000:201'), '192.0.2.1', 'IPv4 on a dual-stack socket is IPv4')
  t.equal(addressOf('2001:db8::1'), '2001:db8:0:0:0:0:0:1')
  t.equal(addressOf('::1'), '0:0:0:0:0:0:0:1')
})

t.test(
  'behind a trusted proxy the client is the last that no trusted proxy vouches for',
  async (t) => {
    const trusted = ['10.0.0.0/8', '2001:db8::/32']
    const cases: [forwardedFor: string, expected: string][] = [
      ['203.0.113.7', '203.0.113.7'],
      ['198.51.100.1, 203.0.113.7', '203.0.113.7'],
      ['127.0.0.1, 203.0.113.7', '203.0.113.7'],
      ['203.0.113.7, 10.9.9.9', '203.0.113.7'],
      ['203.0.113.7,10.9.9.9 , 10.1.1.1', '203.0.113.7'],
      ['203.0.113.7, 2001:db8::5', '203.0.113.7'],
      ['2001:db9::7', '2001:db9::7'],
      ['::ffff:203.0.113.7, ::ffff:10.1.1.1', '203.0.113.7'],
      ['203.0.113.7:41234', '203.0.113.7'],
      ['203.0.113.7:41234, 10.1.1.1:8080', '203.0.113.7'],
      ['[2001:db9::7]:443', '2001:db9::7'],
      ['[2001:db9::7]', '2001:db9::7'],
      ['"[2001:db9::7]:443", "10.1.1.1"', '2001:db9::7'],
      ['10.5.5.5', '10.5.5.5'],
      ['', '10.0.0.1']
    ]
    for (const [forwardedFor, expected] of cases) {
      t.equal(addressOf('10.0.0.1', forwardedFor, trusted), expected, forwardedFor)
    }
    t.equal(addressOf('2001:db8::1', '203.0.113.7', trusted), '203.0.113.7', 'over IPv6 too')
  }
)

t.test('what is not an address ends the belief in what is before it', async (t) => {
  const odd = [
    'unknown',
    '_hidden',
    '203.0.113.7:x',
    '[203.0.113.7',
    '203.0.113',
    '0xcb007107',
    'fe80::1%eth0',
    "'; DROP TABLE",
    ''
  ]
  for (const hop of odd) {
    t.equal(addressOf('10.0.0.1', `198.51.100.1, ${hop}`, ['10.0.0.0/8']), '10.0.0.1', hop)
  }
})

t.test('Forwarded (RFC 7239) is read as X-Forwarded-For is', async (t) => {
  const cases: [forwarded: string, expected: string][] = [
    ['for=203.0.113.7', '203.0.113.7'],
    ['For="203.0.113.7:4711"', '203.0.113.7'],
    ['for="[2001:db9::7]:443";proto=https;by=10.0.0.1', '2001:db9::7'],
    ['proto=https;host="a,b;for=192.0.2.9"; for=203.0.113.7', '203.0.113.7'],
    ['for=198.51.100.1, for=203.0.113.7, for=10.1.1.1', '203.0.113.7'],
    ['for=203.0.113.7, for=unknown', '10.0.0.1'],
    ['for=203.0.113.7, proto=https', '10.0.0.1'],
    ['for=_hidden', '10.0.0.1']
  ]
  for (const [forwarded, expected] of cases) {
    t.equal(addressOf('10.0.0.1', '', ['10.0.0.0/8'], { forwarded }), expected, forwarded)
  }
  const both = (forwardedFor: string, forwarded: string) =>
    addressOf('10.0.0.1', forwardedFor, ['10.0.0.0/8'], { forwarded })
  t.equal(both('203.0.113.7', 'for=203.0.113.7'), '203.0.113.7')
  t.equal(both('203.0.113.7', 'for=192.0.2.9'), '10.0.0.1', 'where they differ, neither counts')
  t.equal(addressOf('192.0.2.1', '', [], { forwarded: 'for=203.0.113.7' }), '192.0.2.1')
})

t.test(
  'the PROXY protocol counts when a trusted peer speaks it, and from nobody else',
  async (t) => {
    const proxied = '203.0.113.7'
    t.equal(addressOf('10.0.0.1', '', ['10.0.0.0/8'], { proxied }), '203.0.113.7')
    t.equal(addressOf('10.0.0.1', '192.0.2.9', ['10.0.0.0/8'], { proxied }), '203.0.113.7')
    t.equal(addressOf('192.0.2.1', '', ['10.0.0.0/8'], { proxied }), '192.0.2.1')
    t.equal(
      addressOf('10.0.0.1', '203.0.113.7', ['10.0.0.0/8'], { proxied: '10.2.2.2' }),
      '203.0.113.7',
      'through a trusted HTTP proxy behind a trusted balancer'
    )
  }
)
