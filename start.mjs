// `npm start`: builds if something has changed since the last build, and then is the gateway itself. package.json
// starts it with `exec`: a shell between npm and the gateway would end on SIGTERM and leave the gateway behind.
import './required-node.mjs'
import { spawn } from 'node:child_process'
import { isUpToDate } from './build-stamp.mjs'

const SIGNALS = ['SIGINT', 'SIGTERM']

/** Ends this process if the build fails, or with the build on a signal. */
async function build () {
  process.stdout.write('Building: there is no build of these sources yet.\n')
  const npm = process.env.npm_execpath
  const [command, args] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  // A group of its own, so that a signal reaches the compilers too.
  const child = spawn(command, [...args, 'run', 'build'], {
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

if (!isUpToDate(import.meta.dirname)) await build()
await import('./dist/server.js')
