import t from 'tap'
import {
  LARGE_BYTES, SMALL_BYTES, STREAM_CHUNKS, VISION_BYTES, requestBody, responseBody, streamEvents
} from '../../bench/exchanges.js'

t.test('bodies are JSON, and as long as the tables say', t => {
  const sizes = {
    'plain-4k': SMALL_BYTES,
    'plain-100k': LARGE_BYTES,
    stream: SMALL_BYTES,
    'stream-paced': SMALL_BYTES,
    'stream-held': SMALL_BYTES
  } as const
  for (const name of Object.keys(sizes) as (keyof typeof sizes)[]) {
    t.equal(requestBody(name).length, sizes[name], name)
    t.type(JSON.parse(requestBody(name).toString()), 'object', name)
  }
  for (const size of [SMALL_BYTES, LARGE_BYTES]) {
    t.equal(responseBody(size).length, size)
    t.type(JSON.parse(responseBody(size).toString()), 'object')
  }
  const vision = requestBody('vision-10m').length
  t.ok(vision <= VISION_BYTES && vision > VISION_BYTES - 4)
  t.end()
})

t.test('usage that was asked for is one event more, and a null in each of the others', t => {
  const [without, withUsage] = [streamEvents(false), streamEvents(true)]
  t.equal(without.length, STREAM_CHUNKS + 1)
  t.equal(withUsage.length, STREAM_CHUNKS + 2)
  t.notOk(without.some(event => event.includes('"usage"')))
  t.equal(withUsage.filter(event => event.includes('"usage":null')).length, STREAM_CHUNKS)
  t.end()
})
