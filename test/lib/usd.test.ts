import fc from 'fast-check'
import t from 'tap'
import { decimalToPicoUsd, picoUsdToDecimal } from '../../src/lib/usd.js'

t.test('an amount is written with the decimals it needs and no more', t => {
  t.equal(picoUsdToDecimal(210_000_000n), '0.00021')
  t.equal(picoUsdToDecimal(0n), '0')
  t.equal(picoUsdToDecimal(1n), '0.000000000001')
  t.equal(picoUsdToDecimal(-1_500_000_000_000n), '-1.5')
  t.equal(picoUsdToDecimal(120_000_000_000_000_000_000_000n), '120000000000')
  t.end()
})

t.test('any amount survives being written and read', t => {
  fc.assert(fc.property(fc.bigInt(), amount => decimalToPicoUsd(picoUsdToDecimal(amount)) === amount))
  t.end()
})

t.test('what Postgres writes is read: zeros to any scale', t => {
  t.equal(decimalToPicoUsd('0.000210000000'), 210_000_000n)
  t.equal(decimalToPicoUsd('3.00000000000000000000'), 3_000_000_000_000n)
  t.equal(decimalToPicoUsd('007'), 7_000_000_000_000n)
  t.end()
})

t.test('what is no amount, or none in whole pico-USD, is refused', t => {
  for (const text of ['', '-', '1e3', '0.0000000000001', '.5', '1.', 'NaN', ' 1', '+1', '1,5']) {
    t.throws(() => decimalToPicoUsd(text), RangeError, text)
  }
  t.end()
})
