import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { temporaryFolder } from './helpers/database.js'
import { until } from './helpers/until.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const { begin, end, isUpToDate } = await import(new URL('../build-stamp.mjs', import.meta.url).href) as
  Record<'begin' | 'end', (root: string, build?: string) => void> & {
    isUpToDate: (root: string, build?: string) => boolean
  }

/** A small project as the build reads it, and a build of it. */
function project (t: Test): { at: (path: string) => string, build: () => void } {
  const folder = temporaryFolder(t)
  const at = (path: string): string => join(folder, path)
  for (const [path, content] of [
    ['src/server.ts', 'a'], ['src/console/pages/budgets.tsx', 'b'], ['src/console/public/favicon.svg', 'c'],
    ['drizzle/0000_start.sql', 'd'], ['package.json', '{}'], ['package-lock.json', '{}'], ['tsconfig.json', '{}']
  ] as const) {
    mkdirSync(join(at(path), '..'), { recursive: true })
    writeFileSync(at(path), content)
  }
  const build = (): void => {
    begin(folder)
    for (const path of ['dist/server.js', 'dist/console/index.html', 'dist/db/template.tar.gz']) {
      mkdirSync(join(at(path), '..'), { recursive: true })
      writeFileSync(at(path), 'built')
    }
    end(folder)
  }
  return { at, build }
}

t.test('where a built file is gone, the compiler forgets that it has written it', t => {
  const { at, build } = project(t)
  build()
  writeFileSync(at('dist/tsconfig.tsbuildinfo'), '{}')
  begin(at('.'))
  t.ok(existsSync(at('dist/tsconfig.tsbuildinfo')), 'else it builds on')
  end(at('.'))
  rmSync(at('dist/server.js'))
  begin(at('.'))
  t.notOk(existsSync(at('dist/tsconfig.tsbuildinfo')))
  t.end()
})

t.test('a build is up to date until any of its inputs changes, or anything of it is gone', t => {
  const changes: Readonly<Record<string, (at: (path: string) => string) => void>> = {
    'a source': at => writeFileSync(at('src/server.ts'), 'A'),
    'a page of the console': at => writeFileSync(at('src/console/pages/budgets.tsx'), 'B'),
    'a picture of the console': at => writeFileSync(at('src/console/public/favicon.svg'), 'C'),
    'a migration, for the template': at => writeFileSync(at('drizzle/0001_more.sql'), 'e'),
    'the lock file': at => writeFileSync(at('package-lock.json'), '{"a":1}'),
    'the compiler\'s settings': at => writeFileSync(at('tsconfig.json'), '{"a":1}'),
    'a file that was deleted': at => rmSync(at('src/console/pages/budgets.tsx')),
    'a file that was renamed': at => renameSync(at('src/server.ts'), at('src/gateway.ts')),
    'what went from one file to the next': at => {
      writeFileSync(at('src/console/pages/budgets.tsx'), '')
      writeFileSync(at('src/console/public/favicon.svg'), 'bc')
    },
    'the built server': at => rmSync(at('dist/server.js')),
    'the built console': at => rmSync(at('dist/console'), { recursive: true }),
    'the template': at => rmSync(at('dist/db/template.tar.gz')),
    'a build that was killed': at => begin(at('.')),
    'half a stamp': at => writeFileSync(at('dist/build-stamp.json'), '{"inputs":')
  }
  for (const [name, change] of Object.entries(changes)) {
    const { at, build } = project(t)
    t.notOk(isUpToDate(at('.')), 'before the first build')
    build()
    t.ok(isUpToDate(at('.')))
    change(at)
    t.notOk(isUpToDate(at('.')), name)
  }
  t.end()
})

t.test('times, packages and what else lies in the folder do not count', t => {
  const { at, build } = project(t)
  build()
  utimesSync(at('src/server.ts'), 0, 0)
  mkdirSync(at('src/console/node_modules/vite'), { recursive: true })
  writeFileSync(at('src/console/node_modules/vite/index.js'), '')
  writeFileSync(at('README.md'), '')
  cpSync(at('dist/server.js'), at('dist/server.js.map'))
  t.ok(isUpToDate(at('.')))
  writeFileSync(at('src/server.ts'), 'x')
  begin(at('.'))
  writeFileSync(at('src/server.ts'), 'y')
  end(at('.'))
  t.notOk(isUpToDate(at('.')), 'what changed during the build is not in it')
  t.end()
})

t.test('the examples have a stamp of their own: neither build makes the other one old', t => {
  const { at, build } = project(t)
  for (const path of ['examples/demo.ts', 'dist/examples/demo.js']) {
    mkdirSync(join(at(path), '..'), { recursive: true })
    writeFileSync(at(path), 'e')
  }
  build()
  t.notOk(isUpToDate(at('.'), 'examples'), 'before their first build')
  begin(at('.'), 'examples')
  end(at('.'), 'examples')
  t.ok(isUpToDate(at('.')) && isUpToDate(at('.'), 'examples'))
  writeFileSync(at('src/server.ts'), 'x')
  t.ok(isUpToDate(at('.'), 'examples'))
  build()
  t.ok(isUpToDate(at('.'), 'examples'), 'a build of the gateway leaves them')
  writeFileSync(at('examples/demo.ts'), 'E')
  t.notOk(isUpToDate(at('.'), 'examples'))
  t.ok(isUpToDate(at('.')))
  begin(at('.'), 'examples')
  end(at('.'), 'examples')
  rmSync(at('dist/examples'), { recursive: true })
  t.notOk(isUpToDate(at('.'), 'examples'))
  t.ok(isUpToDate(at('.')))
  t.end()
})

interface Exit { readonly code: number | null, readonly signal: string | null }

interface Started {
  readonly npm: ChildProcess
  readonly port: number
  /** What was printed so far. */
  readonly lines: () => string
  readonly exited: Promise<Exit>
}

/** `npm start` as a person types it, in a group of its own, as a terminal makes one. */
async function npmStart (t: Test): Promise<Started> {
  const dataDir = temporaryFolder(t)
  const settings = {
    PATH: process.env['PATH'] ?? '',
    HOME: dataDir,
    PORT: '0',
    DATA_DIR: dataDir,
    ADMIN_PASSWORD: 'secret',
    UPSTREAM_BASE_URL: 'http://127.0.0.1:9/v1'
  }
  const variables = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  const npm = spawn('env', ['-i', ...variables, 'npm', 'start'], {
    cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe']
  })
  let text = ''
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  }
  const exited = once(npm, 'close')
    .then(([code, signal]): Exit => ({ code: code as Exit['code'], signal: signal as Exit['signal'] }))
  t.teardown(async () => {
    if (npm.exitCode !== null || npm.pid === undefined) return
    process.kill(-npm.pid, 'SIGKILL')
    await exited
  })
  const port = await until(() => {
    if (npm.exitCode !== null) throw new Error(`npm start ended: ${text}`)
    return Number(/^\s*proxy\s+http:\/\/127\.0\.0\.1:(\d+)\/v1/m.exec(text)?.[1] ?? 0)
  })
  return { npm, port, lines: () => text, exited }
}

/** Whether anything listens there. */
async function connects (port: number): Promise<boolean> {
  return await new Promise(resolve => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('error', () => { resolve(false) }).once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

t.test('npm start builds nothing where nothing has changed, and says nothing that looks like breakage', async t => {
  if (!existsSync(join(root, 'dist/build-stamp.json'))) throw new Error('npm run build comes first (npm test does it)')
  const { npm, port, lines, exited } = await npmStart(t)
  t.notMatch(lines(), /tsc|vite|Building/)
  t.notMatch(lines(), /warn|error|EBADENGINE/i)
  t.ok(await connects(port))
  npm.kill('SIGTERM')
  t.same(await exited, { code: 0, signal: null }, 'npm waits for the gateway, and ends as it ended')
  t.notOk(await connects(port), 'nothing holds the port any more')
  t.match(lines(), /"signal":"SIGTERM"/)
})

t.test('Ctrl-C reaches npm and the gateway, which npm tells again: it closes in order all the same', async t => {
  const { npm, port, lines, exited } = await npmStart(t)
  if (npm.pid === undefined) throw new Error('npm has an id')
  process.kill(-npm.pid, 'SIGINT')
  await exited
  t.notOk(await connects(port))
  t.match(lines(), /"signal":"SIGINT"/)
  t.notMatch(lines(), /second SIG/)
})

/** What a script of package.json prints. */
const npmRun = (t: Test, ...args: string[]): string => {
  const env = { PATH: process.env['PATH'] ?? '', HOME: temporaryFolder(t) }
  return execFileSync('npm', ['run', ...args], { cwd: root, env, encoding: 'utf8' })
}

t.test('npm run build does nothing where nothing has changed', t => {
  t.notMatch(npmRun(t, 'build'), /tsc|vite/)
  t.end()
})

t.test('npm run demo builds nothing where nothing has changed, and ends by itself', t => {
  npmRun(t, 'build:examples')
  const said = npmRun(t, 'demo', '--', '--once')
  t.match(said, /extract_page_metadata +\d/)
  t.notMatch(said, /tsc|vite|Building/)
  t.end()
})
