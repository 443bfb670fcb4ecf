import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { readOrCreateSecret } from '../lib/data-file.js'

const SECRET_BYTES = 32

/**
 * What signs webhooks (Standard Webhooks, `whsec_…`): the configured secret, else the one kept in `dataDir`, made there
 * at the first start. Each instance has a folder of its own: several that should sign alike share `WEBHOOK_SECRET`.
 */
export async function loadWebhookSecret (configured: string | null, dataDir: string): Promise<string> {
  if (configured !== null) return configured
  const file = join(dataDir, 'webhook-secret')
  const { secret } = await readOrCreateSecret(file, `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`)
  if (!/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/.test(secret)) {
    throw new Error(`${file} holds no webhook secret (whsec_…). Delete it to have one made, or set WEBHOOK_SECRET.`)
  }
  return secret
}
