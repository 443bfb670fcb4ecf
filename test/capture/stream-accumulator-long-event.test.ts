import t from 'tap'
import { StreamAccumulator } from '../../src/capture/stream-accumulator.js'

t.test('an event over 8 MiB is not read, however much may be stored; those around it are', t => {
  const event = (content: string): Buffer =>
    Buffer.from(`data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`)
  for (const [length, isRead] of [[8_388_000, true], [8_389_000, false]] as const) {
    const stream = new StreamAccumulator(16 * 1024 * 1024, () => 65_536)
    for (const content of ['before ', 'x'.repeat(length), 'after']) stream.push(event(content))
    const text = stream.toText() ?? ''
    t.equal(text.includes('xxx'), isRead)
    t.match(text.slice(0, 200), /before /)
    t.match(text.slice(-200), /after/)
    t.equal(stream.droppedBytes > length, !isRead, 'what is dropped is counted')
  }
  t.end()
})
