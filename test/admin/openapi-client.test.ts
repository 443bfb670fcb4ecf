import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript'
import t from 'tap'
import ts from 'typescript'
import { openTestDatabase } from '../helpers/database.js'
import { login, startAdmin } from './start-admin.js'

/**
 * A client of a few lines: whatever `openapi-typescript` makes of the document types its paths, queries, bodies and
 * answers.
 */
const client = `
import type { components, paths } from './generated-types.js'

type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : never
type Answer<Operation> = Operation extends { responses: infer Responses }
  ? { [Status in keyof Responses]: Status extends 200 | 201 ? Json<Responses[Status]> : never }[keyof Responses]
  : never
type Query<Operation> = Operation extends { parameters: { query?: infer Parameters } } ? Parameters : never
type Body<Operation> = Operation extends { requestBody: infer Request } ? Json<Request> : never

export function createClient (origin: string, authorization: string) {
  async function call<T> (method: string, path: string, body?: unknown): Promise<T> {
    const headers = { authorization, ...body === undefined ? {} : { 'content-type': 'application/json' } }
    const response = await fetch(origin + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) })
    if (!response.ok) throw new Error((await response.json() as components['schemas']['Error']).error.message)
    return await response.json() as T
  }
  type Path<Method extends string> = { [P in keyof paths]: paths[P] extends Record<Method, object> ? P : never }[keyof paths]
  return {
    get: async <P extends Path<'get'>> (path: P, query: Query<paths[P]['get']> & object = {} as never) =>
      await call<Answer<paths[P]['get']>>('GET', \`\${path}?\${new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]))}\`),
    post: async <P extends Path<'post'>> (path: P, body: Body<paths[P]['post']>) =>
      await call<Answer<paths[P]['post']>>('POST', path, body)
  }
}

export async function use (origin: string, authorization: string) {
  const { get, post } = createClient(origin, authorization)
  const made = await post('/admin/api/prompt-configs', { prompt_type: 'typed', track_full_data: true })
  const key = await post('/admin/api/keys', { name: 'typed', allowed_prompt_types: ['typed'] })
  const page = await get('/admin/api/prompt-configs', { sort: '-total_cost', limit: 10 })
  const changes = await get('/admin/api/audit-log', { action: 'key.create' })
  const secret: string = key.key
  const total: number = page.total
  const average: number | null = made.avg_cost_per_call
  return { names: page.items.map(item => item.prompt_type), total, average, secret, targets: changes.items.map(change => change.target === key.id) }
}
`

const root = fileURLToPath(new URL('../..', import.meta.url))
// Neither is on the disk: the compiler is handed their texts.
const typesFile = join(root, 'test', 'admin', 'generated-types.ts')
const clientFile = join(root, 'test', 'admin', 'generated-client.ts')

const admin = await startAdmin(t, await openTestDatabase(t, 'postgres'))
const document = (await admin.call('GET', '/admin/api/openapi.json')).body as OpenAPI3
const generated = astToString(await openapiTS(document))

/** What the project's own compiler options say against the client, whose files are nowhere but here. */
function complaintsAbout (text: string): string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), path => ts.sys.readFile(path))
  const { options } = ts.convertCompilerOptionsFromJson(
    (config.config as { compilerOptions: object }).compilerOptions, root
  )
  const files = new Map([[typesFile, generated], [clientFile, text]])
  const host = ts.createCompilerHost(options)
  host.readFile = path => files.get(path) ?? ts.sys.readFile(path)
  host.fileExists = path => files.has(path) || ts.sys.fileExists(path)
  const program = ts.createProgram([clientFile], options, host)
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

t.test('a client with the types that openapi-typescript makes of the document compiles, and does what its types say', async t => {
  t.strictSame(complaintsAbout(client), [])
  const { outputText } = ts.transpileModule(client, {
    compilerOptions: { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2023 }
  })
  const { use } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`) as {
    use: (origin: string, authorization: string) => Promise<object>
  }
  t.match(await use(admin.url, login), { names: ['typed'], total: 1, average: null, secret: /^pm_/, targets: [true] })
})

t.test('it does not compile with a name that the document does not have', t => {
  for (const [right, wrong, complaint] of [
    ['track_full_data: true', 'track_full_dat: true', /'track_full_dat' does not exist/],
    ['page.total', 'page.totl', /'totl' does not exist/],
    ['item.prompt_type', 'item.prompt', /'prompt' does not exist/],
    ["'/admin/api/keys'", "'/admin/api/key'", /'"\/admin\/api\/key"' is not assignable/],
    ["sort: '-total_cost'", "sort: '-cost'", /'"-cost"' is not assignable/],
    ["allowed_prompt_types: ['typed']", 'allowed_prompt_types: [1]', /'number' is not assignable/],
    ['number | null = made', 'number = made', /'null' is not assignable/]
  ] as const) {
    t.ok(client.includes(right), right)
    t.match(complaintsAbout(client.replace(right, wrong)).join('\n'), complaint, wrong)
  }
  t.end()
})
