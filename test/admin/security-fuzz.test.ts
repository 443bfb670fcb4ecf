import t from 'tap'
import { createPartitions } from '../../src/db/partitions.js'
import { usageLogs } from '../../src/db/schema/index.js'
import { onEachDatabase } from './each-database.js'
import { usageLogRow, uuidv7 } from './rows.js'
import { login, startAdmin, type Admin } from './start-admin.js'

interface Parameter { name: string, in: 'path' | 'query' }
interface Media { schema: { properties?: object }, example?: unknown, examples?: Record<string, { value: unknown }> }
interface Operation { parameters?: Parameter[], requestBody?: { content: { 'application/json': Media } } }
interface Document { paths: Record<string, Record<string, Operation>> }

/** Past it the router refuses the path, which is the app's to answer. */
const LONGEST_PATH_PART = 384
const logId = uuidv7('2026-11-22T00:00:00Z', 1)
const cursor = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url')

const texts = [
  '', ' ', '\0', 'a\0b', "';--", '%', '\\', '😀', '-1', '1e400', '99999999999999999999', 'NaN', 'null', '{}', 'x'.repeat(
    9000
  ), 'x'.repeat(384),
  '2016-12-31T23:59:60Z', '2026-02-30T00:00:00Z', '2999-12-31T23:59:59-23:59', '1000-01-01T00:00:00+23:59', '0000-01-01T00:00:00Z',
  '00000000-0000-0000-0000-000000000000'
]
const cursors = [
  [], [1], [1, 2, 3, 4, 5], {}, null, ['-total_cost', 'NaN', 'a'], [
    '-total_cost', '9'.repeat(60), 'a'
  ], ['-total_cost', '1e999999', 'a'], ['-total_cost', 'a\0', 'a'],
  ['-total_cost', null, 'a\0'], [Number.MAX_SAFE_INTEGER, logId], [1e308, logId], [-1, logId], [0.5, logId], [
    Number.MAX_SAFE_INTEGER, logId, 0
  ]
].map(cursor)
const values = [
  null, true, 0, -1, 0.1, 1e308, -1e308, 1e-300, 2 ** 53, 99999999999999, '', '\0', '\ud800', 'x'.repeat(
    5000
  ), '2016-12-31T23:59:60Z', '2999-12-31T23:59:59-23:59',
  'http://[::1', 'javascript:alert(1)', 'a@b\r\nBcc: c@d', [], [null], ['\0'], [[[]]], [1e308, -1], {}, {
    a: { b: [] }
  }, { search: '\0' }, {
    search: '\ud800'
  }
]

/** Ways to say an operation wrongly, or so that it is right but at the edge: one thing is odd at a time. */
function * odd (
  path: string, id: string, { parameters = [], requestBody }: Operation
): Generator<{ url: string, body?: unknown }> {
  const names = { prompt_type: 'a', model: 'gpt-4o', id }
  const fill = (parts: Record<string, string>) =>
    path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parts[name] ?? ''))
  const media = requestBody?.content['application/json']
  const right = media?.example ?? Object.values(media?.examples ?? {})[0]?.value
  const withBody = right === undefined ? {} : { body: right }
  for (const { name, in: place } of parameters) {
    for (const text of name === 'cursor'
      ? [...texts, ...cursors]
      : texts.filter(text => place === 'query' || text.length <= LONGEST_PATH_PART)) {
      const encoded = encodeURIComponent(text)
      yield place === 'path'
        ? { url: fill({ ...names, [name]: text }), ...withBody }
        : { url: `${fill(names)}?${name}=${encoded}` }
    }
    if (place === 'query') yield { url: `${fill(names)}?${name}=1&${name}=2` }
  }
  for (const query of [
    'none=1', '__proto__=1', 'limit[]=1', '%ff=%fe', '=', '&&&'
  ]) yield { url: `${fill(names)}?${query}`, ...withBody }
  if (typeof right !== 'object' || right === null) return
  for (const value of values) yield { url: fill(names), body: value }
  for (const name of [...Object.keys({ ...media?.schema.properties, ...right }), 'none']) {
    for (const value of [undefined, ...values]) yield { url: fill(names), body: { ...right, [name]: value } }
  }
}

/** What to change that is there, so that a request gets as far as it can: one of the list, if POST makes them. */
async function idOf ({ call }: Admin, path: string, { post }: Record<string, Operation> = {}): Promise<string> {
  const example = post?.requestBody?.content['application/json'].example
  const { body } = example === undefined ? { body: null } : await call('POST', path, example)
  return typeof body === 'object' && body !== null && 'id' in body ? String(body.id) : logId
}

async function misbehaviours (admin: Admin): Promise<{ tried: number, wrong: string[] }> {
  const { app, call } = admin
  const { paths } = (await call('GET', '/admin/api/openapi.json')).body as Document
  let tried = 0
  const wrong: string[] = []
  for (const [path, methods] of Object.entries(paths)) {
    const list = path.replace('/{id}', '')
    const id = await idOf(admin, list, paths[list])
    for (const [method, operation] of Object.entries(methods)) {
      for (const { url, body } of odd(path, id, operation)) {
        const { statusCode, body: text } = await app.inject({
          method: method.toUpperCase() as 'GET',
          url,
          headers: { authorization: login, ...body === undefined ? {} : { 'content-type': 'application/json' } },
          ...body === undefined ? {} : { payload: JSON.stringify(body) }
        })
        tried++
        if (statusCode >= 500 || (statusCode >= 400 && !isError(text))) {
          wrong.push(`${statusCode} ${method} ${url.slice(0, 150)} ${JSON.stringify(body ?? '').slice(0, 200)}: ${text.slice(0, 200)}`)
        }
      }
    }
  }
  return { tried, wrong }
}

function isError (text: string): boolean {
  const { error } = JSON.parse(text) as { error?: Record<string, unknown> }
  return typeof error?.['message'] === 'string' && typeof error['code'] === 'string' &&
    typeof error['type'] === 'string' && 'param' in error
}

onEachDatabase(t, 'no request, however odd, is more than refused, in words', async (t, database) => {
  const admin = await startAdmin(t, database)
  await admin.call('POST', '/admin/api/prompt-configs', { prompt_type: 'a' })
  await createPartitions(database.operator, [Date.UTC(2026, 10)])
  await database.operator.insert(usageLogs).values(usageLogRow({ id: logId, created_at: '2026-11-22T00:00:00Z' }))
  const { tried, wrong } = await misbehaviours(admin)
  t.ok(tried > 500, String(tried))
  t.strictSame(wrong, [])
  t.equal((await admin.call('GET', '/admin/api/settings')).status, 200)
})
