import t from 'tap'
import { StreamTee } from '../../src/metering/stream-tee.js'
import { heldBytes } from '../helpers/held-bytes.js'

// Work that grows with the square of an event's lines would keep these busy for hours.
const chunks = 200_000

for (const mode of ['strip', 'watch'] as const) {
  for (const line of ['a\n', 'data: 1\r\n', '\ndata:', 'x', ':\r']) {
    t.test(`an event of very many chunks goes through as it came (${mode}, ${JSON.stringify(line)})`, t => {
      const tee = new StreamTee(mode)
      const before = heldBytes()
      const passed: Buffer[] = [tee.push(Buffer.from('data: 0\n\n')) ?? Buffer.alloc(0)]
      const chunk = Buffer.from(line)
      for (let i = 0; i < chunks; i++) {
        const part = tee.push(chunk)
        if (part !== null && mode === 'strip') passed.push(part)
      }
      t.ok(heldBytes() - before < 30 * 1024 * 1024)
      const rest = tee.push(Buffer.from('\n\n'))
      if (rest !== null) passed.push(rest)
      if (mode === 'strip') t.equal(Buffer.concat(passed).length, 'data: 0\n\n'.length + chunks * chunk.length + 2)
      t.equal(tee.ended, false)
      t.end()
    })
  }
}
