import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../test/helpers/postgres-server.js'
import { benchScript, startChild } from './child-process.js'
import type { Contender, Surroundings } from './contenders/contender.js'
import { startPromptmeter } from './contenders/promptmeter.js'
import { createDatabase } from './database.js'
import { format, table } from './markdown.js'
import { startLoad } from './load-process.js'
import { measure } from './measurement.js'
import { parseOptions } from './options.js'
import { type CpuProfile, sharesByModule } from './profile-shares.js'

// `npm run bench:profile`: where the gateway's CPU goes on plain calls and on streams. `--seconds` of load each, after
// as many to warm up.

const EXCHANGES = ['plain-4k', 'plain-100k', 'stream', 'stream-paced'] as const
const CONNECTIONS = 32
const LISTED = 25

type ProfiledExchange = typeof EXCHANGES[number]

const print = (text: string): void => { process.stdout.write(`${text}\n`) }

/** The system's monotonic clock, which the profile counts by too. */
const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n)

async function profile (surroundings: Surroundings, exchange: ProfiledExchange, seconds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'promptmeter-bench-profile-'))
  const load = startLoad()
  let gateway: Contender | null = null
  try {
    gateway = await startPromptmeter(surroundings, {
      name: 'promptmeter',
      databaseUrl: await createDatabase(surroundings.postgres),
      watchLoop: false,
      nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${folder}`]
    })
    await measure(load, gateway, { exchange, connections: CONNECTIONS, seconds })
    const fromUs = monotonicUs()
    const { answered, cpuUsPerCall } = await measure(load, gateway, { exchange, connections: CONNECTIONS, seconds })
    const toUs = monotonicUs()
    await gateway.stop() // It writes the profile when it ends.
    gateway = null
    print(`\n## ${exchange}\n\n${answered} calls, ${format(cpuUsPerCall)} µs of CPU each, all threads, profiling included. The main thread's time by the clock:\n`)
    print(describe(await readMainProfile(folder), fromUs, toUs, answered))
  } finally {
    await gateway?.stop()
    await load.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Each thread leaves a profile, `CPU.<date>.<time>.<pid>.<thread>.<n>.cpuprofile`; the main one is thread 0. */
async function readMainProfile (folder: string): Promise<CpuProfile> {
  const name = (await readdir(folder)).find(file => file.split('.')[4] === '0')
  if (name === undefined) throw new Error('The gateway left no profile.')
  return JSON.parse(await readFile(join(folder, name), 'utf8')) as CpuProfile
}

function describe (profile: CpuProfile, fromUs: number, toUs: number, calls: number): string {
  const shares = sharesByModule(profile, fromUs, toUs)
  const total = shares.reduce((sum, { selfUs }) => sum + selfUs, 0)
  const line = (module: string, selfUs: number): string[] =>
    [module, format(selfUs / total * 100), format(selfUs / calls)]
  const rest = shares.slice(LISTED).reduce((sum, { selfUs }) => sum + selfUs, 0)
  return table(['module', '%', 'µs per call'], [
    ...shares.slice(0, LISTED)
      .map(({ module, selfUs }) => line(module, selfUs)), line('all others', rest), line('in all', total)
  ])
}

async function main (): Promise<void> {
  const { parts, seconds } = parseOptions(process.argv.slice(2))
  const unknown = parts.find(part => !EXCHANGES.some(exchange => exchange === part))
  if (unknown !== undefined) throw new Error(`There is no exchange '${unknown}', only ${EXCHANGES.join(', ')}.`)
  const chosen = EXCHANGES.filter(exchange =>
    parts.length === 0 ? exchange === 'plain-4k' || exchange === 'stream' : parts.includes(exchange))
  const postgres = await startPostgres({ fsync: true })
  const upstream = startChild(process.execPath, [benchScript('upstream')])
  try {
    const surroundings = { upstreamOrigin: `http://127.0.0.1:${String(await upstream.nextMessage())}`, postgres }
    for (const exchange of chosen) await profile(surroundings, exchange, seconds)
  } finally {
    await upstream.stop()
    await postgres.remove()
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
await main()
