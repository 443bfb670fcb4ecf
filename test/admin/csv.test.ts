import t from 'tap'
import { csvLine } from '../../src/admin/csv.js'

t.test('a line has its cells in order, ends with CRLF, and quotes only what has to be quoted', t => {
  t.equal(csvLine(['a', 'b c', '', null, 1, true]), 'a,b c,,,1,true\r\n')
  t.equal(
    csvLine(['a,b', 'say "x"', 'one\ntwo', 'one\r\ntwo', "it's"]), '"a,b","say ""x""","one\ntwo","one\r\ntwo",it\'s\r\n'
  )
  t.end()
})

t.test('what a spreadsheet would run is text', t => {
  t.equal(csvLine(['=1+1', '+1', '-1+2', '@SUM(1)', '\tx', '\rx', '=HYPERLINK("http://a")']),
    "'=1+1,'+1,'-1+2,'@SUM(1),'\tx,\"'\rx\",\"'=HYPERLINK(\"\"http://a\"\")\"\r\n")
  t.equal(csvLine(['a=1', '1-2', ' =1']), 'a=1,1-2, =1\r\n')
  t.end()
})

t.test('numbers stay numbers, negative and exact ones too', t => {
  t.equal(
    csvLine([-1, -0.5, '-1', '-0.000000000001', '0.1', '123456789012345678.123456789012']),
    '-1,-0.5,-1,-0.000000000001,0.1,123456789012345678.123456789012\r\n'
  )
  t.equal(csvLine(['-', '-a', '--1', '-1.', '-.5']), "'-,'-a,'--1,'-1.,'-.5\r\n")
  t.end()
})
