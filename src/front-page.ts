import type { FastifyInstance } from 'fastify'

/** Where what is, by paths from the gateway's root: it may lie behind a prefix of a reverse proxy. */
const PLACES = [
  ['v1', 'calls: the base URL of an OpenAI client, with the header X-Prompt-Type', false],
  ['prompt-types/{prompt_type}/v1', 'the same, for clients that cannot set a header', false],
  ['admin', 'the console, for operators', true],
  ['admin/docs', 'the operator API, documented', true],
  ['healthz', 'whether the process is up', true],
  ['readyz', 'whether it can serve calls, and which parts are degraded', true],
  ['metrics', 'metrics for Prometheus', true]
] as const

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

const text = ['promptmeter', '', ...PLACES.map(([path, what]) => `  ${`/${path}`.padEnd(32)}${what}`), ''].join('\n')

const rows = PLACES.map(([path, what, isLink]) =>
  `<dt>${isLink ? `<a href="${path}">/${path}</a>` : `<code>/${path}</code>`}</dt><dd>${escaped(what)}</dd>`)
const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>promptmeter</title>
<h1>promptmeter</h1>
<dl>
${rows.join('\n')}
</dl>
</html>
`

const HEADERS = {
  vary: 'accept', 'content-security-policy': "default-src 'none'", 'x-content-type-options': 'nosniff'
}

/**
 * `GET /`: the paths of the gateway, as text, or as a page for a browser. It needs no login, and shows nothing of this
 * instance.
 */
export function frontPage (app: FastifyInstance, _options: object, done: () => void): void {
  app.get('/', (request, reply) => {
    const isBrowser = request.headers.accept?.includes('text/html') === true
    void reply.headers(HEADERS).type(`${isBrowser ? 'text/html' : 'text/plain'}; charset=utf-8`)
    return reply.send(isBrowser ? html : text)
  })
  done()
}
