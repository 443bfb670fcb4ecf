import t from 'tap'
import {
  CORPUS_ID, asksForUsage, corpusMissing, corpusUpstream, isStream, lacksUsage, loadCorpus, withUsage
} from './corpus.js'

interface Chunk { choices: unknown[], usage?: unknown }

const parse = (body: string): Chunk[] => body.split('\n\n').filter(event => event.startsWith('data: {'))
  .map(event => JSON.parse(event.slice(6)) as Chunk)

t.test('added usage stands as in the recorded streams that have it, and taking it away gives the recorded bytes', {
  skip: corpusMissing
}, t => {
  const corpus = loadCorpus() ?? []
  const asked = corpus.filter(exchange => isStream(exchange) && asksForUsage(exchange.request.body))
  const lacking = corpus.filter(lacksUsage)
  t.equal(asked.length, 6)
  t.equal(lacking.length, 78)
  const recordedOrder = new Set(
    asked.flatMap(exchange => parse(exchange.response.body).map(chunk => Object.keys(chunk).join()))
  )
  for (const exchange of lacking) {
    const { body, usage } = withUsage(exchange)
    const chunks = parse(body)
    if ('obfuscation' in (chunks[0] ?? {})) t.ok(chunks.every(chunk => recordedOrder.has(Object.keys(chunk).join())))
    t.same(chunks.at(-1), { ...parse(exchange.response.body).at(-1), choices: [], usage })
    t.ok(chunks.slice(0, -1).every(chunk => chunk.usage === null))
    const taken = body.split('\n\n').filter(event => !event.includes('"choices":[]')).join('\n\n')
      .replaceAll(',"usage":null', '')
    t.equal(taken, exchange.response.body)
  }
  t.end()
})

t.test('the corpus upstream answers by exchange id, with usage where the request asks for it', {
  skip: corpusMissing
}, async t => {
  const corpus = loadCorpus() ?? []
  const upstream = await corpusUpstream(t, corpus)
  for (const exchange of [corpus.find(lacksUsage), corpus.find(one => one.response.status === 404)]) {
    if (exchange === undefined) throw new Error('not in the corpus')
    const call = (body: string): Promise<Response> =>
      fetch(`${upstream.origin}${exchange.request.path}`, {
        method: 'POST', body, headers: { [CORPUS_ID]: exchange.id }
      })
    const plain = await call(exchange.request.body)
    t.equal(plain.status, exchange.response.status)
    t.match(Object.fromEntries(plain.headers), exchange.response.headers)
    t.equal(await plain.text(), exchange.response.body)
    const asked = await call('{"stream_options":{"include_usage":true}}')
    t.equal(await asked.text(), lacksUsage(exchange) ? withUsage(exchange).body : exchange.response.body)
  }
})
