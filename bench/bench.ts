import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../test/helpers/postgres-server.js'
import { updateFile } from './benchmarks-file.js'
import { benchScript, startChild } from './child-process.js'
import { createDatabase } from './database.js'
import { startLoad } from './load-process.js'
import { describeMachine } from './machine.js'
import { type Options, parseOptions } from './options.js'
import type { Bench, Part } from './part.js'
import { admin } from './parts/admin.js'
import { memory } from './parts/memory.js'
import { plain } from './parts/plain.js'
import { recorder } from './parts/recorder.js'
import { scale } from './parts/scale.js'
import { streams } from './parts/streams.js'
import { vision } from './parts/vision.js'

// `npm run bench`: all parts, or those named. Rewrites their tables in BENCHMARKS.md.

const PARTS: readonly Part[] = [plain, streams, vision, memory, recorder, scale, admin]
const FILE = 'BENCHMARKS.md'

const print = (text: string): void => { process.stdout.write(`${text}\n`) }

async function main (options: Options): Promise<void> {
  const parts = PARTS.filter(({ name }) => options.parts.length === 0 || options.parts.includes(name))
  const unknown = options.parts.find(name => !parts.some(part => part.name === name))
  if (unknown !== undefined) throw new Error(`There is no part '${unknown}', only ${PARTS.map(({ name }) => name).join(', ')}.`)

  const startedAt = Date.now()
  const progress = (text: string): void =>
    print(`${String(Math.round((Date.now() - startedAt) / 1000)).padStart(5)} s  ${text}`)
  const resultsFolder = await mkdtemp(join(tmpdir(), 'promptmeter-bench-results-'))
  const postgres = await startPostgres({ fsync: true })
  const upstream = startChild(process.execPath, [benchScript('upstream')])
  const load = startLoad()
  try {
    const surroundings = { upstreamOrigin: `http://127.0.0.1:${String(await upstream.nextMessage())}`, postgres }
    progress('the machine')
    await updateFile(FILE, 'machine', await describeMachine(await createDatabase(postgres), options.seconds / 2))
    for (const part of parts) await runPart(part, { surroundings, load, options, progress }, resultsFolder)
    progress(`done; ${FILE} is written, all measurements are in ${resultsFolder}`)
  } finally {
    await load.stop()
    await upstream.stop()
    await postgres.remove()
  }
}

async function runPart (part: Part, bench: Bench, resultsFolder: string): Promise<void> {
  const { text, data } = await part.run(bench)
  const { seconds, rounds } = bench.options
  const how =
    `<sub>${new Date().toISOString().slice(0, 10)}, rounds of ${seconds} s, ${rounds} of them after a warm-up: medians (least–most).</sub>`
  await writeFile(join(resultsFolder, `${part.name}.json`), JSON.stringify(data, null, 2))
  await updateFile(FILE, part.name, `${text}\n\n${how}`)
  print(`\n${text}\n`)
}

// An exit in order ends the child processes too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
await main(parseOptions(process.argv.slice(2)))
