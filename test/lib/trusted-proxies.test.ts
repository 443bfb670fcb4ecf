import fc from 'fast-check'
import t from 'tap'
import { clientAddress } from '../../src/lib/trusted-proxies.js'

t.test('without trusted proxies the address is the connection\'s, whatever the header says', t => {
  t.equal(clientAddress([])('192.0.2.1', '198.51.100.1'), '192.0.2.1')
  t.equal(
    clientAddress(['10.0.0.0/8'])('192.0.2.1', '10.0.0.1, 198.51.100.1'),
    '192.0.2.1',
    'nor where another proxy is trusted'
  )
  t.end()
})

t.test('the client is the last address that no trusted proxy has', t => {
  const of = clientAddress(['10.0.0.0/8', '192.0.2.7', 'fd00::/8'])
  for (const [peer, forwardedFor, client] of [
    ['10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['10.0.0.1', '203.0.113.9, 198.51.100.1', '198.51.100.1'],
    ['10.0.0.1', '198.51.100.1, 192.0.2.7,10.9.9.9', '198.51.100.1'],
    ['fd00::1', ' 2001:db8::5 ,  10.0.0.2 ', '2001:db8::5'],
    ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', '198.51.100.1, unknown', '10.0.0.1'],
    ['10.0.0.1', '198.51.100.1, _hidden, 10.0.0.2', '10.0.0.2'],
    ['10.0.0.1', '198.51.100.1:4711', '198.51.100.1'],
    ['10.0.0.1', '[2001:db8::5]:4711', '2001:db8::5'],
    ['10.0.0.1', '[2001:db8::5]', '2001:db8::5'],
    ['not an address', '198.51.100.1', 'not an address']
  ] as const) t.equal(of(peer, forwardedFor), client, `${peer} ${String(forwardedFor)}`)
  t.end()
})

t.test('an IPv4 address mapped into IPv6 is the same one, in the rule, the connection and the header', t => {
  for (const network of ['10.0.0.0/8', '::ffff:10.0.0.0/104']) {
    for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1']) {
      t.equal(clientAddress([network])(peer, '198.51.100.1, ::ffff:10.2.2.2'), '198.51.100.1', `${network} ${peer}`)
      t.equal(clientAddress([network])('::ffff:11.0.0.1', '198.51.100.1'), '::ffff:11.0.0.1')
    }
  }
  t.equal(clientAddress(['fe80::/10'])('fe80::1%eth0', '198.51.100.1'), '198.51.100.1')
  t.end()
})

t.test('what stands before an untrusted address changes nothing', t => {
  const of = clientAddress(['10.0.0.0/8'])
  fc.assert(
    fc.property(fc.string(), forged => { t.equal(of('10.0.0.1', `${forged}, 198.51.100.1, 10.0.0.2`), '198.51.100.1') })
  )
  t.end()
})
