import { execFile, execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { temporaryFolder } from './helpers/database.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const entries = ['start.mjs', 'dist/server.js']

interface Ended { readonly code: number | null, readonly stdout: string, readonly stderr: string }

/** Runs a script with one setting, which no start takes. */
const run = (node: string, args: readonly string[]): Promise<Ended> => new Promise(resolve => {
  const child = execFile(node, args, { cwd: root, env: { PORT: 'none' }, timeout: 60_000 }, (_, stdout, stderr) => {
    resolve({ code: child.exitCode, stdout, stderr })
  })
})

/** A module that makes a process take its Node for another version. */
function claim (t: Test, version: string): string {
  const path = join(temporaryFolder(t), 'claim.mjs')
  writeFileSync(path, `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`)
  return path
}

function isSupported (version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 19)
}

/** Nodes of this machine that are too old, as far as they are found. */
function oldNodes (): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
  const nodes = new Set(folders.map(folder => join(folder, 'node')).filter(path => existsSync(path)))
  return [...nodes].filter(path =>
    !isSupported(execFileSync(path, ['--version'], { encoding: 'utf8' }).trim().slice(1)))
}

t.test('a Node that is too old is told in one line, whatever else it lacks', async t => {
  for (const version of ['18.20.8', '20.20.2', '22.18.9']) {
    for (const entry of entries) {
      const { code, stdout, stderr } = await run(process.execPath, ['--import', claim(t, version), entry])
      t.equal(code, 1, `${entry} on ${version}`)
      t.equal(stdout, '')
      t.match(
        stderr,
        new RegExp(`^promptmeter did not start: it needs Node 22\\.19 or newer, and this is ${version.replaceAll('.', '\\.')}\\. .+\\n$`)
      )
    }
  }
})

t.test('so it is on the old Nodes that this machine has', async t => {
  for (const node of oldNodes()) {
    for (const entry of entries) {
      const { code, stderr } = await run(node, [entry])
      t.equal(code, 1, `${entry} on ${node}`)
      t.match(stderr, /^promptmeter did not start: it needs Node 22\.19 or newer, and this is .+\n$/)
    }
  }
})

t.test('the oldest Node that is supported goes on', async t => {
  const { code, stderr } = await run(process.execPath, ['--import', claim(t, '22.19.0'), 'dist/server.js'])
  t.equal(code, 1)
  t.match(stderr, /^promptmeter did not start: .*PORT.*\n$/)
})

t.test('the tests themselves run on a Node that is supported, whatever the machine has', t => {
  t.ok(isSupported(process.versions.node), process.versions.node)
  t.end()
})
