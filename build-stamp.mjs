// Whether `dist` is what the sources as they are now would give. `npm run build` asks with `check` (exit code 0: it
// is), and so do `npm start` and `npm run demo`; `npm run build:all` runs `begin` before its steps and `end` after
// them, and `npm run build:examples` does for its own. Contents are compared, not times: a checkout or a copy sets
// times as it likes.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'

/** What the build reads. The lock file stands for all packages, `drizzle` for the template of the embedded database. */
const INPUTS = ['src', 'drizzle', 'package.json', 'package-lock.json', 'tsconfig.json']
const EXAMPLES = join('dist', 'examples')
/** Of `src/tsconfig.json`. */
const COMPILER_MEMORY = 'tsconfig.tsbuildinfo'
const isOfExamples = path => path.startsWith(EXAMPLES + sep)

/** The builds that have a stamp: what each reads, its stamp's name in `dist`, and which files of `dist` it makes. */
const BUILDS = {
  gateway: { inputs: INPUTS, stamp: 'build-stamp.json', begun: 'build-begun.json', makes: path => !isOfExamples(path) },
  examples: {
    inputs: ['examples', 'package.json', 'package-lock.json', 'tsconfig.json'],
    stamp: 'examples-stamp.json',
    begun: 'examples-begun.json',
    makes: isOfExamples
  }
}

function filesIn (root, path) {
  const full = join(root, path)
  if (!existsSync(full)) return []
  if (statSync(full).isFile()) return [path]
  const names = readdirSync(full).filter(name => name !== 'node_modules').sort()
  return names.flatMap(name => filesIn(root, join(path, name)))
}

/** One hash of the names and contents of all inputs: a file that was deleted or renamed changes it too. */
export function hashOfInputs (root, build = 'gateway') {
  const hash = createHash('sha256')
  for (const path of BUILDS[build].inputs.flatMap(input => filesIn(root, input))) {
    const content = readFileSync(join(root, path))
    hash.update(`${path.split(sep).join('/')}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

const readJson = path => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // A build that was killed leaves none, or half of one.
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return null
    throw error
  }
}

/** True: a build of exactly these inputs has ended, and all that it made is there. */
export function isUpToDate (root, build = 'gateway') {
  const stamp = readJson(join(root, 'dist', BUILDS[build].stamp))
  if (stamp === null || !stamp.outputs.every(path => existsSync(join(root, path)))) return false
  return stamp.inputs === hashOfInputs(root, build)
}

/** The inputs are hashed before they are read: what changes during the build is not in it. */
export function begin (root, build = 'gateway') {
  const { stamp, begun } = BUILDS[build]
  const dist = join(root, 'dist')
  mkdirSync(dist, { recursive: true })
  const outputs = readJson(join(dist, stamp))?.outputs ?? []
  // The compiler goes by what it remembers to have written, not by what is there.
  if (!outputs.every(path => existsSync(join(root, path)))) rmSync(join(dist, COMPILER_MEMORY), { force: true })
  rmSync(join(dist, stamp), { force: true })
  writeFileSync(join(dist, begun), JSON.stringify({ inputs: hashOfInputs(root, build) }))
}

export function end (root, build = 'gateway') {
  const { stamp, begun, makes } = BUILDS[build]
  const dist = join(root, 'dist')
  const { inputs } = readJson(join(dist, begun)) ?? {}
  rmSync(join(dist, begun), { force: true })
  const others = new Set(
    Object.values(BUILDS).flatMap(({ stamp, begun }) => [stamp, begun]).map(name => join('dist', name))
  )
  const outputs = filesIn(root, 'dist').filter(path => makes(path) && !path.endsWith('.map') && !others.has(path))
  writeFileSync(join(dist, stamp), JSON.stringify({ inputs, outputs }))
}

const [command, build] = process.argv.slice(2)
if (process.argv[1] === import.meta.filename) {
  if (command === 'check') process.exitCode = isUpToDate(import.meta.dirname, build) ? 0 : 1
  if (command === 'begin') begin(import.meta.dirname, build)
  if (command === 'end') end(import.meta.dirname, build)
}
