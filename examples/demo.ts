import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import OpenAI from 'openai'
import { contentImport } from './content-import/content-import.js'
import { sampleInput } from './content-import/sample.js'
import { startScriptedOpenAI } from './content-import/scripted-openai.js'

// `npm run demo`: gateway, scripted OpenAI and traffic, on this machine alone. `--once` ends after the first rounds.

const ROUNDS = 6
const PAUSE_MS = 10_000
const READY_WITHIN_MS = 300_000
const USERS = ['ada', 'grace', 'newsroom']

interface Gateway { readonly origin: string, readonly password: string, readonly process: ChildProcess, readonly dataDir: string }

interface PromptConfig { prompt_type: string, total_calls: number, failed_calls: number, total_input_tokens: number, total_output_tokens: number, total_cost: number }

const print = (text: string): void => { process.stdout.write(`${text}\n`) }

/** Starts the gateway on a free port, with books of its own that end with the demo. Runs from the project's folder. */
async function startGateway (upstreamBaseUrl: string): Promise<Gateway> {
  const dataDir = await mkdtemp(join(tmpdir(), 'promptmeter-demo-'))
  const port = await freePort()
  const password = randomBytes(9).toString('base64url')
  // A group of its own: Ctrl-C is for the demo, which then ends the gateway in order. In the data folder there is no
  // .env.
  const child = spawn(process.execPath, [resolve('dist/server.js')], {
    cwd: dataDir,
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: `${port}`,
      UPSTREAM_BASE_URL: upstreamBaseUrl,
      DATA_DIR: dataDir,
      ADMIN_PASSWORD: password,
      LOG_LEVEL: 'warn',
      // A machine that is busy with its start takes longer for a commit than production allows.
      RECORD_WAIT_MS: '60000'
    }
  })
  const gateway = { origin: `http://127.0.0.1:${port}`, password, process: child, dataDir }
  try {
    await untilReady(gateway)
  } catch (error) {
    await stopGateway(gateway)
    throw error
  }
  return gateway
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function untilReady ({ origin, process: child }: Gateway): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`The gateway ended with code ${child.exitCode}.`)
    // Until it listens the connection is refused; until its database is there it is ready, but degraded.
    const status = await fetch(`${origin}/readyz`)
      .then(async response => (await response.json() as { status: string }).status, () => null)
    if (status === 'ok') return
    await delay(100)
  }
  throw new Error(`The gateway was not ready within ${READY_WITHIN_MS} ms.`)
}

async function stopGateway ({ process: child, dataDir }: Gateway): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
  }
  await rm(dataDir, { recursive: true, force: true })
}

/** One import by each user, and calls as an app makes them that does not name its prompts, or not rightly. */
async function traffic (origin: string, round: number): Promise<void> {
  const openai = new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'sk-demo' })
  await Promise.all(
    USERS.map((user, i) => contentImport(openai, sampleInput(user, `import-${round}-${i}`)).catch(tell))
  )
  const greeting = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: 'Say good morning.' }] }
  await openai.chat.completions.create(greeting)
  await new OpenAI({
    baseURL: `${origin}/prompt-types/greet/v1`, apiKey: 'sk-demo'
  }).chat.completions.create({ ...greeting, safety_identifier: 'ada' })
  await openai.chat.completions.create({ ...greeting, model: 'gpt-unknown' }, { headers: { 'X-Prompt-Type': 'greet' } })
    .catch(tell)
}

/** Failures that the script means are part of the show; a gateway that does not answer is not. */
function tell (error: unknown): void {
  if (!(error instanceof OpenAI.APIError) || error.status === undefined) throw error
  print(`  (as scripted) ${error.message}`)
}

async function admin (gateway: Gateway, path: string, init: RequestInit = {}): Promise<unknown> {
  const authorization = `Basic ${Buffer.from(`admin:${gateway.password}`).toString('base64')}`
  const response = await fetch(`${gateway.origin}/admin/api${path}`, {
    ...init, headers: { authorization, 'content-type': 'application/json' }
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

async function showBooks (gateway: Gateway): Promise<void> {
  const { items } = await admin(gateway, '/prompt-configs?sort=-total_cost') as { items: PromptConfig[] }
  const rows = items.map(config =>
    [config.prompt_type, config.total_calls, config.failed_calls, config.total_input_tokens,
      config.total_output_tokens, config.total_cost.toFixed(6)])
  const table = [['prompt type', 'calls', 'failed', 'tokens in', 'tokens out', 'USD'], ...rows]
  print(
    table.map((
      [name, ...numbers]
    ) => `  ${String(name).padEnd(26)}${numbers.map(number => String(number).padStart(11)).join('')}`)
      .join('\n')
  )
}

function showAround ({ origin, password }: Gateway): void {
  print(`
  Console    ${origin}/admin   login admin, password ${password}
  API docs   ${origin}/admin/docs

  curl -s -u admin:${password} '${origin}/admin/api/prompt-configs?sort=-total_cost'
  curl -s -u admin:${password} '${origin}/admin/api/prompt-configs/extract_page_metadata'
  curl -s -u admin:${password} '${origin}/admin/api/usage-logs?success=false&limit=5'
  curl -s -u admin:${password} '${origin}/admin/api/usage-logs?prompt_type=select_best_tags&user=ada'
  curl -s ${origin}/v1/chat/completions -H 'content-type: application/json' -H 'authorization: Bearer sk-demo' \\
    -H 'X-Prompt-Type: greet' -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say good morning."}]}'
`)
}

async function main (once: boolean, stop: AbortSignal): Promise<void> {
  const openai = await startScriptedOpenAI('examples/content-import/exchanges.jsonl', once ? 0 : 50)
  try {
    print('Starting the gateway in front of a scripted OpenAI …')
    const gateway = await startGateway(openai.baseUrl)
    try {
      await traffic(gateway.origin, 1)
      await admin(gateway, '/prompt-configs/extract_page_metadata', {
        method: 'PATCH', body: '{"track_full_data":true}'
      })
      for (let round = 2; round <= ROUNDS && !stop.aborted; round++) await traffic(gateway.origin, round)
      await showBooks(gateway)
      // What ends with this line is nothing to click on.
      if (once) return
      showAround(gateway)
      print(`  Another round every ${PAUSE_MS / 1000} s. Ctrl-C ends the demo and its books.`)
      for (let round = ROUNDS + 1; await pause(stop); round++) await traffic(gateway.origin, round)
    } finally {
      await stopGateway(gateway)
    }
  } finally {
    await openai.close()
  }
}

/** False once the demo is to end. */
function pause (stop: AbortSignal): Promise<boolean> {
  return delay(PAUSE_MS, true, { signal: stop }).catch((error: unknown) => {
    if (!stop.aborted) throw error
    return false
  })
}

const stopping = new AbortController()
// A terminal signals npm and this process, and npm passes it on: the second one must not end the demo before its
// gateway.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort())
await main(process.argv.includes('--once'), stopping.signal)
