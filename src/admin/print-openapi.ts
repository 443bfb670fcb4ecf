import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { openDatabase } from '../db/open-database.js'
import { adminPlugin } from './plugin.js'

// `npm run console:api`: prints the document that /admin/api/openapi.json answers with. The console's types are made
// from it.

const nothing = (): void => undefined
const dataDir = await mkdtemp(join(tmpdir(), 'promptmeter-openapi-'))
const database = await openDatabase({
  databaseUrl: null, dataDir, log: { debug: nothing, info: nothing, warn: nothing, error: nothing }
})
const app = Fastify({ routerOptions: { maxParamLength: 1024 } })
await app.register(adminPlugin, {
  database, username: 'admin', password: 'admin', version: '0', now: Date.now, provider: 'openai', onPolicyChange: () => Promise.resolve()
})
const answer = await app.inject({
  url: '/admin/api/openapi.json', headers: { authorization: `Basic ${btoa('admin:admin')}` }
})
process.stdout.write(answer.body)
await app.close()
await database.close()
await rm(dataDir, { recursive: true })
