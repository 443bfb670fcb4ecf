// Whether `dist` is what the sources as they are now would give. `npm run build` runs `begin` before its steps and
// `end` after them; `npm start` asks. Contents are compared, not times: a checkout or a copy sets times as it likes.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'

/** What the build reads. The lock file stands for all packages, `drizzle` for the template of the embedded database. */
const INPUTS = ['src', 'drizzle', 'package.json', 'package-lock.json', 'tsconfig.json']
const STAMP = 'build-stamp.json'
const BEGUN = 'build-begun.json'

function filesIn (root, path) {
  const full = join(root, path)
  if (!existsSync(full)) return []
  if (statSync(full).isFile()) return [path]
  const names = readdirSync(full).filter(name => name !== 'node_modules').sort()
  return names.flatMap(name => filesIn(root, join(path, name)))
}

/** One hash of the names and contents of all inputs: a file that was deleted or renamed changes it too. */
export function hashOfInputs (root) {
  const hash = createHash('sha256')
  for (const path of INPUTS.flatMap(input => filesIn(root, input))) {
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
export function isUpToDate (root) {
  const stamp = readJson(join(root, 'dist', STAMP))
  if (stamp === null || !stamp.outputs.every(path => existsSync(join(root, path)))) return false
  return stamp.inputs === hashOfInputs(root)
}

/** The inputs are hashed before they are read: what changes during the build is not in it. */
export function begin (root) {
  const dist = join(root, 'dist')
  mkdirSync(dist, { recursive: true })
  rmSync(join(dist, STAMP), { force: true })
  writeFileSync(join(dist, BEGUN), JSON.stringify({ inputs: hashOfInputs(root) }))
}

export function end (root) {
  const dist = join(root, 'dist')
  const { inputs } = readJson(join(dist, BEGUN)) ?? {}
  rmSync(join(dist, BEGUN), { force: true })
  const outputs = filesIn(root, 'dist').filter(path => !path.endsWith('.map'))
  writeFileSync(join(dist, STAMP), JSON.stringify({ inputs, outputs }))
}

const [command] = process.argv.slice(2)
if (process.argv[1] === import.meta.filename && command === 'begin') begin(import.meta.dirname)
if (process.argv[1] === import.meta.filename && command === 'end') end(import.meta.dirname)
