// Whose address counts: the TCP peer's, and what proxies on the trusted list say, as far as they say it.
import t from 'tap'
import { createClientAddressOf } from '../client-address.ts'
import { Exchange } from '../exchange.ts'
import { blockListOf } from '../keys/cached-key.ts'

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

function addressOf(peer: string, forwardedFor = '', trusted: string[] = []): string {
  const res = { getRemoteAddress: () => bytesOf(peer) }
  const exchange = new Exchange(res as never, 0)
  exchange.forwardedFor = forwardedFor
  return createClientAddressOf(blockListOf(trusted))(exchange)
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
    '203.0.113.7:443',
    '[2001:db9::7]',
    '[2001:db9::7]:443',
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
