import t from 'tap'
import { isPublicAddress, literalAddress } from '../../src/alerts/public-address.js'

t.test('hosts on the Internet are public', t => {
  for (const address of ['1.1.1.1', '8.8.8.8', '100.63.255.255', '100.128.0.0', '172.15.255.255', '172.32.0.0', '169.253.255.255', '192.167.0.1', '198.20.0.0', '223.255.255.255',
    '2606:4700:4700::1111', '2a00:1450:4001:80b::200e', '2001:4860:4860::8888', '2001:200::1']) {
    t.ok(isPublicAddress(address), address)
  }
  t.end()
})

t.test('no special network is', t => {
  const special = [
    '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.0', '100.127.255.255', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1', '172.31.255.255',
    '192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.0.1', '192.168.255.255', '198.18.0.1', '198.19.255.255', '198.51.100.7', '203.0.113.9', '224.0.0.1', '239.1.2.3',
    '240.0.0.1', '255.255.255.255',
    '192.31.196.1', '192.52.193.1', '192.175.48.1', '2620:4f:8000::1',
    '::', '::1', '::127.0.0.1', '::8.8.8.8', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:7f00:1', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1', '64:ff9b::8.8.8.8', '64:ff9b:1::1',
    '100::1', '2001::1', '2001:0:53aa:64c::1', '2001:1ff:ffff::', '2001:db8::1', '2002:7f00:1::', '3fff::1', '5f00::1', 'fc00::1', 'fd12:3456::1', 'fe80::1', 'fe80::1%eth0',
    'fec0::1', 'ff02::1', 'ff0e::1'
  ]
  for (const address of special) t.notOk(isPublicAddress(address), address)
  t.end()
})

t.test('nor is text that is no address', t => {
  for (const text of [
    '', 'localhost', 'example.com', '1.1.1', '1.1.1.1.', '0x7f.0.0.1', '[2606:4700::1]', '1.1.1.1:80'
  ]) t.notOk(isPublicAddress(text), text)
  t.end()
})

t.test('a URL that spells an address in another way is seen through', t => {
  for (const host of ['127.1', '2130706433', '0x7f000001', '0177.0.0.1', '127.0.0.1.', '１２７.0.0.1']) {
    t.equal(literalAddress(new URL(`http://${host}/`).hostname), '127.0.0.1', host)
  }
  t.equal(literalAddress(new URL('http://[0:0::1]/').hostname), '::1')
  t.equal(literalAddress(new URL('http://[::ffff:127.0.0.1]/').hostname), '::ffff:7f00:1')
  t.equal(literalAddress('example.com'), null)
  t.equal(literalAddress('1.example.com'), null)
  t.end()
})
