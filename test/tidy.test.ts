import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

// The house rules (docs/decisions) that a reader cannot be trusted to notice, each as the list of files that break it.

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** TypeScript files under a folder, as paths from the root with forward slashes. */
function filesIn (folder: string): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map(name => posix.join(folder, name.replaceAll('\\', '/')))
      .filter(path => /\.tsx?$/.test(path) && !path.includes('/node_modules/') && !path.includes('/dist/'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

interface Source {
  /** From src/: `proxy/route.ts`. */
  readonly path: string
  readonly text: string
  /** Files of src/ that it imports, types included. */
  readonly imports: string[]
  /** Packages that it imports, types included. */
  readonly packages: string[]
  /** Files of src/ that it names by URL: workers. */
  readonly urls: string[]
}

const sources: Source[] = filesIn('src').filter(path => !path.startsWith('src/console/')).map(full => {
  const path = full.slice('src/'.length)
  const text = read(full)
  const beside = (specifier: string): string => posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
  const specifiers = ts.preProcessFile(text, true, true).importedFiles.map(file => file.fileName)
  return {
    path,
    text,
    imports: specifiers.filter(name => name.startsWith('.')).map(beside),
    packages: specifiers.filter(name => !name.startsWith('.')),
    urls: [...text.matchAll(/new URL\('(\.[^']+\.js)', import\.meta\.url\)/g)].map(match => beside(match[1] ?? ''))
  }
})
const byPath = new Map(sources.map(source => [source.path, source]))

/** What starts a process or thread of its own: the server, scripts that package.json runs, workers. */
const entries = new Set([
  'server.ts', 'start.ts',
  ...[...read('package.json').matchAll(/dist\/([\w/-]+)\.js/g)].map(match => `${match[1] ?? ''}.ts`),
  ...sources.flatMap(source => source.urls)
])

/** `path imports what` for every import of a package by a file that may not. */
function importers (ofPackage: RegExp, allowedIn: RegExp): string[] {
  return sources.filter(source => !allowedIn.test(source.path))
    .flatMap(source =>
      source.packages.filter(name => ofPackage.test(name)).map(name => `${source.path} imports ${name}`))
}

const containing = (pattern: RegExp, files: readonly string[]): string[] =>
  files.filter(path => pattern.test(read(path)))

/**
 * The rooms of src/, from the top down: a file imports its own room, or one of a line below. Rooms of one line do not
 * know each other (docs/architecture.md).
 */
const LAYERS: readonly (readonly string[])[] = [
  ['start'], ['app'], [
    'proxy', 'admin', 'jobs', 'metrics'
  ], ['alerts', 'policy'], ['metering'], ['capture'], ['recording'],
  ['pricing', 'decoders', 'db'], ['errors'], ['redaction'], ['lib']
]
/** Of the root's files, those that stand higher than `lib`. */
const ROOT_LAYERS: Readonly<Record<string, string>> = {
  'server.ts': 'start',
  'start.ts': 'start',
  'greeting.ts': 'start',
  'app.ts': 'app',
  'start-jobs.ts': 'app',
  'front-page.ts': 'app',
  'health.ts': 'app',
  'logger.ts': 'errors',
  'errors.ts': 'errors'
}

/** The higher, the more it may import. */
function layer (path: string): number {
  const room = path.includes('/') ? path.split('/')[0] ?? '' : ROOT_LAYERS[path] ?? 'lib'
  const index = LAYERS.findIndex(rooms => rooms.includes(room))
  if (index === -1) throw new Error(`${path} is in no layer: name its room in LAYERS`)
  return LAYERS.length - index
}

t.test('imports go down the layers, and never from one room to another of its layer', t => {
  const room = (path: string): string => path.includes('/') ? path.split('/')[0] ?? '' : ''
  const sideways = (from: string, to: string): boolean =>
    layer(from) === layer(to) && room(from) !== '' && room(to) !== '' && room(from) !== room(to)
  t.ok(sources.length > 10)
  t.same(sources.flatMap(({ path, imports }) => imports
    .filter(to => to.endsWith('.ts') && (layer(to) > layer(path) || sideways(path, to)))
    .map(to => `${path} imports ${to}`)), [])
  t.end()
})

t.test('imports form no circle', t => {
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (path: string, above: readonly string[]): void => {
    if (above.includes(path)) circles.push([...above.slice(above.indexOf(path)), path].join(' → '))
    if (done.has(path) || above.includes(path)) return
    for (const next of byPath.get(path)?.imports ?? []) visit(next, [...above, path])
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
  t.same(circles, [])
  t.end()
})

t.test('docs/architecture.md names files that exist, and every room', t => {
  const page = read('docs/architecture.md')
  const named = [...page.matchAll(/`((?:src|test|docs|drizzle)\/[\w./-]+)`/g)].map(match => match[1] ?? '')
  t.ok(named.length > 50)
  t.same(named.filter(path => !existsSync(join(root, path))), [])
  const rooms = new Set(
    sources.filter(({ path }) => path.includes('/')).map(({ path }) => `src/${path.split('/')[0] ?? ''}`)
  )
  t.same([...rooms].filter(name => !named.includes(name)), [])
  t.end()
})

t.test('only proxy/upstream.ts knows undici', t => {
  t.same(importers(/^undici$/, /^proxy\/upstream\.ts$/), [])
  t.end()
})

t.test('only db, the batch writer, the admin\'s queries, the outbox and the jobs know SQL', t => {
  t.same(importers(
    /^(drizzle-orm|postgres|@electric-sql)(\/|$)/,
    /^(db\/|recording\/batch-writer\.ts$|admin\/queries\/|admin\/costs\/cost-sums\.ts$|alerts\/alert-outbox\.ts$|jobs\/)/
  ), [])
  t.end()
})

t.test('only the app, its own routes and the admin\'s HTTP side know Fastify', t => {
  t.same(importers(
    /^@?fastify(\/|$)/, /^(app|front-page|health|start|metrics\/metrics-route|admin\/(?!queries\/).+)\.ts$/
  ), [])
  t.end()
})

t.test('only the metrics know prom-client', t => {
  t.same(importers(/^prom-client$/, /^metrics\//), [])
  t.end()
})

t.test('only env.ts reads the environment', t => {
  t.same(sources.filter(({ path, text }) => path !== 'env.ts' && /\bprocess\.env\b/.test(text))
    .map(({ path }) => path), [])
  t.same(importers(/^(node:)?process$/, /^env\.ts$/), [])
  t.end()
})

t.test('no test sets a time limit of its own: tap counts it for all tests of a file together, and a busy machine is many times slower', t => {
  const files = filesIn('test').filter(path => path.endsWith('.test.ts') && path !== 'test/tidy.test.ts')
  t.same(containing(/\bt\.setTimeout\(|, \{ timeout: [\d_]+ \}, async t\b/, files), [])
  t.end()
})

t.test('only what is a process or thread of its own ends one', t => {
  t.same(sources.filter(({ path, text }) => !entries.has(path) && /\bprocess\.exit\(/.test(text))
    .map(({ path }) => path), [])
  t.end()
})

t.test('every source file is reached from the server, a worker or a script', t => {
  const reached = new Set<string>()
  const visit = (path: string): void => {
    const source = byPath.get(path)
    if (source === undefined || reached.has(path)) return
    reached.add(path)
    for (const next of source.imports) visit(next)
  }
  for (const path of entries) visit(path)
  t.same(sources.map(({ path }) => path).filter(path => !reached.has(path)), [])
  t.end()
})

t.test('no file is over 300 lines, unfinished, or silences a check', t => {
  // But for the one that is generated.
  const files = ['src', 'test', 'bench', 'examples'].flatMap(filesIn)
    .filter(path => path !== 'src/console/api/schema.d.ts')
  t.same(files.filter(path => read(path).trimEnd().split('\n').length > 300), [])
  const self = 'test/tidy.test.ts'
  const others = files.filter(path => path !== self)
  t.same(containing(/\b(TODO|FIXME|XXX|HACK)\b/, others), [])
  t.same(containing(/@ts-(ignore|expect-error|nocheck)|eslint-disable|\b(c8|v8|istanbul) ignore/, others), [])
  t.same(containing(/\bt(est)?\.(only|todo)\(|\b(only|todo): true/, others), [])
  t.end()
})

/** Lines of a file that are longer than an editor's window of 120 columns. */
const wideLines = (path: string): number => read(path).split('\n').filter(line => line.length > 120).length

t.test('lines fit into 120 columns: those that do not yet may only become fewer', t => {
  const wide = (folder: string): number =>
    filesIn(folder).filter(path => path !== 'src/console/api/schema.d.ts').reduce((sum, path) => sum + wideLines(path), 0)
  // Of those in src nearly half are the table of prices; most others are SQL, or a test's rows of data.
  const most = { src: 257, test: 475, bench: 52, examples: 9 }
  for (const [folder, limit] of Object.entries(most)) t.ok(wide(folder) <= limit, `${folder}: ${wide(folder)} of ${limit}`)
  t.end()
})

t.test('no function of the gateway is over 60 lines', t => {
  const long: string[] = []
  for (const { path, text } of sources) {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
    const lineOf = (position: number): number => file.getLineAndCharacterOfPosition(position).line
    const visit = (node: ts.Node): void => {
      const lines = lineOf(node.getEnd()) - lineOf(node.getStart()) + 1
      if (ts.isFunctionLike(node) && lines > 60) long.push(`${path}:${lineOf(node.getStart()) + 1}`)
      ts.forEachChild(node, visit)
    }
    visit(file)
  }
  t.same(long, [])
  t.end()
})

t.test('every test file is run: by itself, or with those of its folder', t => {
  const tests = filesIn('test').filter(path => path.endsWith('.test.ts'))
  const alone = /"test\/\{(.+)\}\/\*\.test\.ts"/.exec(read('package.json'))?.[1]?.split(',')
    .map(folder => `test/${folder}`) ?? []
  const together = filesIn('test/by-folder').map(path => `test/${posix.basename(path, '.ts')}`)
  t.ok(tests.length > 100)
  t.same(together.filter(folder =>
    !read(`test/by-folder/${posix.basename(folder)}.ts`).includes(`importTests('${posix.basename(folder)}'`)), [])
  t.same([...alone, ...together, 'test'].toSorted(), [...new Set(tests.map(path => posix.dirname(path)))].toSorted())
  t.end()
})

t.test('the lock file names no registry', t => {
  t.notMatch(read('package-lock.json'), /"resolved": "https?:/)
  t.end()
})
