import { userInfo } from 'node:os'
import OpenAI from 'openai'
import { contentImport } from './content-import.js'
import { sampleInput } from './sample.js'

// One import of the sample content. The client reads OPENAI_BASE_URL (the gateway's /v1) and OPENAI_API_KEY itself.
const imported = await contentImport(new OpenAI(), sampleInput(userInfo().username, `import-${Date.now()}`))
process.stdout.write(`${JSON.stringify(imported, null, 2)}\n`)
