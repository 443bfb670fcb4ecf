import t from 'tap'
import { StreamAccumulator } from '../../src/capture/stream-accumulator.js'
import { heapBytes } from '../helpers/held-bytes.js'

const chunk = (delta: object): Buffer => Buffer.from(`data: ${JSON.stringify({
  id: 'chatcmpl-1', object: 'chat.completion.chunk', model: 'gpt-4o', padding: 'x'.repeat(400), choices: [{ index: 0, delta, finish_reason: null }]
})}\n\n`)
const tool = (arguments_: string): object => ({ tool_calls: [{ index: 0, function: { arguments: arguments_ } }] })

for (const [what, deltas] of [
  [
    'text',
    [
      { role: 'assistant', content: '' },
      ...Array.from({ length: 100 }, () => ({ content: 'a text of thirty letters or so ' }))
    ]
  ],
  [
    'the arguments of a tool',
    [tool(''), ...Array.from({ length: 100 }, () => tool('{"a piece of them": "thirty letters or so"}'))]
  ]
] as const) {
  t.test(`of a stream that was read in parts no more is held than ${what}`, t => {
    const chunks = deltas.map(chunk)
    const before = heapBytes()
    const assemblies = Array.from({ length: 200 }, () => new StreamAccumulator(65_536, () => 8192))
    for (const assembly of assemblies) for (const one of chunks) assembly.push(one)
    const each = (heapBytes() - before) / assemblies.length
    t.ok(each < 10_000, `${Math.round(each)} bytes each, of 50,000 that came`)
    t.match(assemblies[0]?.toText(), /thirty letters or so/)
    t.end()
  })
}
