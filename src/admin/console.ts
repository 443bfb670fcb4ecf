import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { consoleNotBuilt, unknownRoute } from './errors.js'

/** What `npm run build` makes of src/console: the same place from src/admin and from dist/admin. */
const folder = fileURLToPath(new URL('../../dist/console/', import.meta.url))
const NONCE = '__NONCE__'
const A_YEAR_S = 31_536_000

/**
 * The console: one page for every path that belongs neither to the API nor to the documentation, and its files. Its
 * policy allows nothing of another host and no inline script; its style elements carry the answer's nonce
 * (https://www.w3.org/TR/CSP3/).
 */
export async function consoleRoutes (app: FastifyInstance): Promise<void> {
  await app.register(fastifyStatic, { root: folder, serve: false, cacheControl: false })
  const page = async (reply: FastifyReply): Promise<FastifyReply> => {
    if (!existsSync(`${folder}index.html`)) throw consoleNotBuilt()
    const nonce = randomBytes(16).toString('base64')
    const text = await readFile(`${folder}index.html`, 'utf8')
    return await reply.header('content-security-policy', policy(nonce)).type('text/html; charset=utf-8')
      .send(text.replaceAll(NONCE, nonce))
  }
  app.get('/', { schema: { hide: true } }, async (_request, reply) => await page(reply))
  app.get<{ Params: { '*': string } }>('/*', { schema: { hide: true } }, async (request, reply) => {
    const path = request.params['*']
    if (path.startsWith('api/')) throw unknownRoute(request.method, request.url)
    if (path === 'favicon.svg') return await reply.sendFile(path)
    const [, asset] = /^assets\/(\w[\w.-]*)$/.exec(path) ?? []
    if (asset === undefined) return await page(reply)
    // Its name changes with what is in it: what is there stays, and what is not may yet come.
    if (existsSync(`${folder}${path}`)) reply.header('cache-control', `private, max-age=${A_YEAR_S}, immutable`)
    return await reply.sendFile(path)
  })
}

const policy = (nonce: string): string => [
  "default-src 'none'", "script-src 'self'", `style-src 'self' 'nonce-${nonce}'`, "img-src 'self' data:", "font-src 'self'", "connect-src 'self'",
  "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"
].join('; ')
