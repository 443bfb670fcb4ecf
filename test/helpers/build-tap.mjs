// `npm test` runs it first: tap's Test class is generated for the plugins that package.json names. That of a fresh
// installation has tap's defaults, and tap itself generates it too late: its first run would start the files with the
// plugins that are off.
import '@tapjs/core' // First: `@tapjs/test` does not load without it.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { signature } from '@tapjs/test'

const { tap } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const loaded = signature.split('\n')
const isBuilt = tap.plugin.every(name => name.startsWith('!') ? !loaded.includes(name.slice(1)) : loaded.includes(name))
if (!isBuilt) process.exitCode = spawnSync('tap', ['build'], { stdio: 'inherit' }).status ?? 1
