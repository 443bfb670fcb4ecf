import Fastify from 'fastify'
import { Pool } from 'undici'

// The yardstick, a process of its own: the shortest pass-through that Fastify and undici make when written as their
// manuals write it. It parses both JSON bodies, as anything that reports model and usage must, and keeps nothing of
// them. It forwards only the two request headers that OpenAI needs; a stream is piped, and not read.

const CONNECTION_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding'])

const upstream = new Pool(process.env['UPSTREAM_ORIGIN'] ?? '')
const app = Fastify({ bodyLimit: 64 * 1024 * 1024 })

app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

app.post('/v1/*', async (request, reply) => {
  const requestBody = request.body as Buffer
  const { stream } = JSON.parse(requestBody.toString()) as { stream?: boolean }
  const { statusCode, headers, body } = await upstream.request({
    method: 'POST',
    path: request.url,
    headers: { 'content-type': 'application/json', authorization: request.headers.authorization ?? '' },
    body: requestBody
  })
  reply.code(statusCode)
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !CONNECTION_HEADERS.has(name)) reply.header(name, value)
  }
  if (stream === true) return reply.send(body)
  const responseBody = Buffer.from(await body.arrayBuffer())
  JSON.parse(responseBody.toString())
  return reply.send(responseBody)
})

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) })
