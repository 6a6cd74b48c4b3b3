// The pure rules about limits, addresses and email addresses.
import t from 'tap'
import {
  clientBlockOf,
  createBlockList,
  isAddressBlock,
  parseAddress
} from '../../drizzle/address-block.ts'
import { changeLimits, noLimits } from '../limits.ts'
import { normaliseEmail } from '../users/email-address.ts'

t.test('a burst belongs to a rate', async (t) => {
  const limits = changeLimits(noLimits, { requests_per_second: 5 })
  t.same(limits, { requestsPerSecond: 5, burst: 5, dailyQuota: null })
  t.equal(changeLimits(limits, { requests_per_second: 9 }).burst, 9, 'a default follows')
  const own = changeLimits(limits, { burst: 20 })
  t.equal(changeLimits(own, { requests_per_second: 9 }).burst, 20, 'a chosen one stays')
  t.equal(changeLimits(own, { burst: null }).burst, 5, 'null is the default again')
  t.equal(changeLimits(own, { requests_per_second: null }).burst, null)
  t.throws(() => changeLimits(noLimits, { burst: 5 }), { code: 'validation_failed' })
  t.same(changeLimits(own, {}), own)
})

t.test('addresses and blocks', async (t) => {
  const good = ['1.2.3.4', '0.0.0.0/0', '10.0.0.0/8', '1.2.3.4/32', '::1', '2001:db8::/32', '::/0']
  const bad = ['', '1.2.3', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/08', '1.2.3.4/8/8', '::1/129']
  for (const text of good) t.equal(isAddressBlock(text), true, text)
  for (const text of [...bad, '1.2.3.4/', 'fe80::1%eth0', 'localhost', '01.2.3.4', '*']) {
    t.equal(isAddressBlock(text), false, text)
  }
})

t.test('email addresses are stored in one form', async (t) => {
  t.equal(normaliseEmail(' Ann@Example.COM\n'), 'ann@example.com')
  t.equal(normaliseEmail('operator@localhost'), 'operator@localhost')
  t.equal(normaliseEmail('u\u0308@x'), 'ü@x')
  t.equal(normaliseEmail(`${'x'.repeat(252)}@y`)?.length, 254)
  for (const text of ['', 'x', '@x', 'x@', 'a@b@c', 'a b@c', `${'x'.repeat(253)}@y`, 'a\u0000@b']) {
    t.equal(normaliseEmail(text), null, JSON.stringify(text))
  }
})

t.test('an address is read with whatever proxies write around it', async (t) => {
  const read = {
    '192.0.2.1': '192.0.2.1',
    ' 192.0.2.1:443 ': '192.0.2.1',
    '[2001:db8::1]:443': '2001:db8::1',
    '[2001:DB8:0::1]': '2001:db8::1',
    '2001:db8::1': '2001:db8::1',
    'fe80::1%eth0': 'fe80::1',
    '::ffff:192.0.2.1': '192.0.2.1'
  }
  for (const [text, address] of Object.entries(read)) t.equal(parseAddress(text), address, text)
  const wrong = ['', 'unknown', 'x'.repeat(200), '192.0.2', '0300.0.0.1', '3221225985', '1.2.3.4:x']
  for (const text of wrong) t.equal(parseAddress(text), null, text)
})

t.test('one client is an IPv4 address, or the /64 of an IPv6 one', async (t) => {
  t.equal(clientBlockOf('192.0.2.1'), '192.0.2.1')
  t.equal(clientBlockOf('2001:db8:1:2:ffff::1'), '2001:db8:1:2::/64')
  t.equal(clientBlockOf('2001:db8:1:2::9'), clientBlockOf('2001:db8:1:2:3:4:5:6'))
  t.not(clientBlockOf('2001:db8:1:3::9'), clientBlockOf('2001:db8:1:2::9'))
})

t.test('a block holds its addresses in every form of theirs', async (t) => {
  const isIn = createBlockList(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'])
  for (const text of ['10.1.2.3', '10.1.2.3:80', '::ffff:10.1.2.3', '2001:db8:9::1', '192.0.2.7']) {
    t.equal(isIn(text), true, text)
  }
  for (const text of ['11.0.0.1', '192.0.2.8', '2001:db9::1', 'unknown', '']) {
    t.equal(isIn(text), false, text)
  }
})
