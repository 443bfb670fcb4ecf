import fc from 'fast-check'
import t from 'tap'
import { usdText } from '../../src/admin/usd-text.js'

t.test('an amount is written as it came', t => {
  const exact: Array<[number, string]> = [
    [1, '1'], [0.1, '0.1'], [1e-12, '0.000000000001'], [1.5e-7, '0.00000015'], [
      250.000000000001, '250.000000000001'
    ], [1e9, '1000000000'],
    [123456789.012345, '123456789.012345'], [1e21, '1' + '0'.repeat(21)], [1200, '1200'], [0.30, '0.3']
  ]
  for (const [amount, text] of exact) t.equal(usdText(amount), text, text)
  t.end()
})

t.test('what the books, or a JSON number, cannot hold exactly is none', t => {
  for (const amount of [
    1e-13, 0.1234567890123, 1.0000000000001, 0.1 + 0.2, 1234567890.1234567, 0, NaN, Infinity, -1
  ]) t.equal(usdText(amount), null, String(amount))
  t.end()
})

t.test('every amount of at most 15 digits and 12 decimals comes back to the digit', t => {
  fc.assert(fc.property(fc.integer({
    min: 1, max: 999_999_999_999_999
  }), fc.integer({ min: 0, max: 12 }), (digits, decimals) => {
    const padded = String(digits).padStart(decimals + 1, '0')
    const text = decimals === 0 ? padded : `${padded.slice(0, -decimals)}.${padded.slice(-decimals)}`
    const plain = text.includes('.') ? text.replace(/\.?0+$/, '') : text
    return usdText(JSON.parse(text) as number) === plain
  }))
  t.end()
})
