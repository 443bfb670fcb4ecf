import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createDatabase, serverPids } from '../database.js'
import type { Books, Contender, StartContender, Surroundings } from './contender.js'
import { startNodeContender } from './node-contender.js'

/** The gateway, with its operator's door. */
export interface PromptmeterContender extends Contender {
  /** Gets a path under /admin/api/. */
  readonly admin: (path: string) => Promise<Response>
}

export interface PromptmeterOptions {
  readonly name: string
  /** `postgres://…`; null: the embedded database. */
  readonly databaseUrl: string | null
  readonly watchLoop: boolean
  readonly nodeArgs?: readonly string[]
  /** Settings other than the defaults. */
  readonly env?: Readonly<Record<string, string>>
}

/** The gateway as it is run: `node dist/server.js`, with default settings. Its data go when it stops. */
export async function startPromptmeter (
  { upstreamOrigin }: Surroundings, options: PromptmeterOptions
): Promise<PromptmeterContender> {
  const { databaseUrl } = options
  const dataDir = await mkdtemp(join(tmpdir(), 'promptmeter-bench-'))
  const removeData = async (): Promise<void> => await rm(dataDir, { recursive: true, force: true })
  const password = randomBytes(9).toString('base64url')
  try {
    const contender = await startNodeContender({
      name: options.name,
      script: resolve('dist/server.js'),
      cwd: dataDir, // There is no .env in it.
      env: {
        UPSTREAM_BASE_URL: `${upstreamOrigin}/v1`,
        DATA_DIR: dataDir,
        ADMIN_PASSWORD: password,
        LOG_LEVEL: 'warn',
        ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
        ...options.env
      },
      readyPath: '/readyz',
      watchLoop: options.watchLoop,
      nodeArgs: options.nodeArgs ?? []
    })
    return {
      ...contender,
      databasePids: databaseUrl === null ? null : () => serverPids(databaseUrl),
      books: () => readBooks(contender.origin, password),
      admin: path => getAdmin(contender.origin, password, path),
      stop: async () => {
        await contender.stop()
        await removeData()
      }
    }
  } catch (error) {
    await removeData()
    throw error
  }
}

export const startOnPostgres: StartContender = async (surroundings, { watchLoop }) =>
  await startPromptmeter(surroundings, {
    name: 'promptmeter, PostgreSQL', databaseUrl: await createDatabase(surroundings.postgres), watchLoop
  })

export const startEmbedded: StartContender = (surroundings, { watchLoop }) =>
  startPromptmeter(surroundings, { name: 'promptmeter, embedded', databaseUrl: null, watchLoop })

interface ConfigPage {
  readonly items: ReadonlyArray<{
    readonly total_calls: number, readonly failed_calls: number, readonly total_output_tokens: number
  }>
  readonly next_cursor: string | null
}

const getAdmin = async (origin: string, password: string, path: string): Promise<Response> =>
  await fetch(`${origin}/admin/api/${path}`, {
    headers: { authorization: `Basic ${Buffer.from(`admin:${password}`).toString('base64')}` }
  })

/** The sums over all prompt types, as an operator reads them. */
async function readBooks (origin: string, password: string): Promise<Books> {
  let [calls, failedCalls, outputTokens] = [0, 0, 0]
  for (let cursor: string | null = ''; cursor !== null;) {
    const at: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const response = await getAdmin(origin, password, `prompt-configs?limit=500${at}`)
    if (!response.ok) throw new Error(`The books cannot be read: ${response.status} ${await response.text()}`)
    const page = await response.json() as ConfigPage
    for (const config of page.items) {
      calls += config.total_calls
      failedCalls += config.failed_calls
      outputTokens += config.total_output_tokens
    }
    cursor = page.next_cursor
  }
  return { calls, failedCalls, outputTokens }
}
