// `npm start`: builds if something has changed since the last build, and then is the gateway itself; with `demo`, for
// `npm run demo`, it builds the examples too, and then is the demo. package.json starts it with `exec`: a shell between
// npm and the gateway would end on SIGTERM and leave the gateway behind.
import './required-node.mjs'
import { spawn } from 'node:child_process'
import { isUpToDate } from './build-stamp.mjs'

const SIGNALS = ['SIGINT', 'SIGTERM']

/** Runs a script of package.json. Ends this process if it fails, or with it on a signal. */
async function run (script) {
  const npm = process.env.npm_execpath
  const [command, args] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  // A group of its own, so that a signal reaches the compilers too.
  const child = spawn(command, [...args, 'run', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true
  })
  const stop = signal => {
    process.kill(-child.pid, signal)
    process.exit(1)
  }
  for (const signal of SIGNALS) process.once(signal, stop)
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))
  for (const signal of SIGNALS) process.removeListener(signal, stop)
  if (code !== 0) process.exit(1)
}

const isDemo = process.argv[2] === 'demo'
const SCRIPTS = { gateway: 'build', ...isDemo && { examples: 'build:examples' } }
const old = Object.keys(SCRIPTS).filter(build => !isUpToDate(import.meta.dirname, build))
if (old.length > 0) process.stdout.write('Building: there is no build of these sources yet.\n')
for (const build of old) await run(SCRIPTS[build])
await import(isDemo ? './dist/examples/demo.js' : './dist/server.js')
