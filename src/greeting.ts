import type { AdminPassword } from './admin-password.js'
import type { Database } from './db/database.js'
import type { Config } from './env.js'

interface Started {
  /** As Fastify says it: `http://127.0.0.1:8080`. */
  readonly address: string
  readonly config: Config
  readonly admin: AdminPassword
  readonly databaseKind: Database['kind']
}

/** The text on stdout after a start: addresses, login, a first call. */
export function greeting ({ address, config, admin, databaseKind }: Started): string {
  const database = databaseKind === 'embedded' ? `embedded, in ${config.dataDir}/db` : 'PostgreSQL (DATABASE_URL)'
  const key = config.upstreamApiKey === null ? '$OPENAI_API_KEY' : '$GATEWAY_KEY'
  const keyHint = config.upstreamApiKey === null
    ? ''
    : `  callers   need a gateway key (pm_…): POST ${address}/admin/api/keys with {"name":"my app"}\n`
  return `
promptmeter is running
  proxy     ${address}/v1  →  ${config.upstreamBaseUrl.href}
  console   ${address}/admin  (user ${config.adminUsername}, password ${passwordHint(admin)})
  database  ${database}
${keyHint}
Try it:
  curl ${address}/v1/chat/completions -H "Authorization: Bearer ${key}" \\
    -H 'Content-Type: application/json' -H 'X-Prompt-Type: hello' \\
    -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}]}'

`
}

/** A new password is shown this once. */
function passwordHint ({ password, isNew, file }: AdminPassword): string {
  if (file === null) return 'from ADMIN_PASSWORD'
  return isNew ? `${password}, stored in ${file}` : `in ${file}`
}
