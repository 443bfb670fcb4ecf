import t from 'tap'
import { replaceBetweenMarkers } from '../../bench/benchmarks-file.js'

const document = '# Figures\n\n<!-- plain -->\nold\n<!-- /plain -->\n\nWords.\n\n<!-- streams -->\n<!-- /streams -->\n'

t.test('what stands between the markers is replaced, and nothing else', t => {
  t.equal(replaceBetweenMarkers(document, 'plain', 'new\n'),
    '# Figures\n\n<!-- plain -->\n\nnew\n\n<!-- /plain -->\n\nWords.\n\n<!-- streams -->\n<!-- /streams -->\n')
  t.end()
})

t.test('replacing twice is replacing once', t => {
  const once = replaceBetweenMarkers(document, 'streams', 'table')
  t.equal(replaceBetweenMarkers(once, 'streams', 'table'), once)
  t.end()
})

t.test('a document without the markers is an error that names them', t => {
  t.throws(() => replaceBetweenMarkers(document, 'vision', 'table'), /<!-- vision -->/)
  t.end()
})
