import t from 'tap'
import { parseExposition } from './exposition.js'

const histogram = (lines: string): string => `# HELP h A.\n# TYPE h histogram\n${lines}`

t.test('what is Prometheus\' text format is read', t => {
  const families = parseExposition(
    '# HELP a_total All of them.\n# TYPE a_total counter\na_total{b="x\\"y\\\\z\\n",c=""} 1.5e-7\n'
  )
  t.same([...families], [
    [
      'a_total',
      {
        type: 'counter',
        help: 'All of them.',
        samples: [{ name: 'a_total', labels: { b: 'x"y\\z\n', c: '' }, value: 1.5e-7 }]
      }
    ]
  ])
  t.end()
})

t.test('what is not is refused', t => {
  const gauge = '# HELP g A.\n# TYPE g gauge\n'
  for (const [text, why] of [
    [`${gauge}g 1`, /last line/],
    [`${gauge}g{b="x"y"} 1\n`, /labels/],
    [`${gauge}g{b="x\\y"} 1\n`, /labels/],
    [`${gauge}g{b="x"\n`, /no line/],
    [`${gauge}g{b="x",b="y"} 1\n`, /twice/],
    [`${gauge}g{b="x",c="y"} 1\ng{c="y",b="x"} 1\n`, /twice/],
    [`${gauge}g Nan\n`, /no line/],
    [`${gauge}other 1\n`, /stands under/],
    [`${gauge}g 1\n${gauge}g{a="b"} 1\n`, /two pieces/],
    ['# TYPE g gauge\ng 1\n', /no help/],
    ['# HELP c A.\n# TYPE c counter\nc 1\n', /_total/],
    ['# HELP c_total A.\n# TYPE c_total counter\nc_total -1\n', /no sum/],
    [histogram('h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'), /cumulative/],
    [histogram('h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n'), /\+Inf/],
    [histogram('h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n'), /\+Inf/],
    [histogram('h_bucket{le="+Inf"} 1\nh_count 1\n'), /no sum/]
  ] as const) t.throws(() => parseExposition(text), why)
  t.end()
})
