// Ends the process if its Node is older than package.json's `engines` asks for. Imported first, and alone: in the syntax
// and with the modules that every Node with ES modules has.
import { readFileSync } from 'node:fs'

const { engines } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
const required = /\d+\.\d+/.exec(engines.node)[0]
const [major, minor] = required.split('.').map(Number)
const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number)

if (ownMajor < major || (ownMajor === major && ownMinor < minor)) {
  process.stderr.write(`promptmeter did not start: it needs Node ${required} or newer, and this is ${process.versions.node}. ` +
    'Install Node 24, or run the one that npm ci brings for Linux: npm start, or node_modules/.bin/node dist/server.js.\n')
  process.exit(1)
}
