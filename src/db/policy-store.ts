import { sql } from 'drizzle-orm'
import type { Drizzle } from './client.js'
import { gatewayKeys, gatewaySettings, promptConfigs } from './schema/index.js'

/** The NOTIFY channel of policy changes. Its payload is the new version. */
export const POLICY_CHANNEL = 'promptmeter_policy'

/** All that the data plane goes by, as of one moment. */
export interface PolicyData {
  /** Rises with every change of policy. */
  readonly version: number
  /** What a new prompt type starts with. */
  readonly defaults: PolicyToggles
  readonly configs: readonly (PolicyToggles & { readonly promptType: string })[]
  readonly keys: readonly PolicyKey[]
}

export interface PolicyToggles {
  readonly trackFullData: boolean
  readonly isActive: boolean
}

/** A gateway key: never the key, only its hash. */
export interface PolicyKey {
  readonly id: string
  readonly name: string
  readonly user: string | null
  /** Lower-case hex. */
  readonly keySha256: string
  /** Null: every prompt type. */
  readonly allowedPromptTypes: readonly string[] | null
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number | null
  readonly revoked: boolean
}

/** Reads the whole policy in one snapshot, so that its version belongs to what is read. */
export async function loadPolicy (database: Drizzle): Promise<PolicyData> {
  return await database.transaction(async snapshot => {
    const [settings] = await snapshot.select({
      version: gatewaySettings.policy_version,
      trackFullData: gatewaySettings.default_track_full_data,
      isActive: gatewaySettings.default_is_active
    }).from(gatewaySettings)
    if (settings === undefined) throw noSettings()
    const configs = await snapshot.select({
      promptType: promptConfigs.prompt_type,
      trackFullData: promptConfigs.track_full_data,
      isActive: promptConfigs.is_active
    }).from(promptConfigs)
    const keys = await snapshot.select({
      id: gatewayKeys.id,
      name: gatewayKeys.name,
      user: gatewayKeys.user_name,
      keySha256: gatewayKeys.key_sha256,
      allowedPromptTypes: gatewayKeys.allowed_prompt_types,
      expiresAtMs: sql<number | null>`(extract(epoch from ${gatewayKeys.expires_at}) * 1000)::float8`,
      revoked: sql<boolean>`${gatewayKeys.revoked_at} is not null`
    }).from(gatewayKeys)
    const { version, ...defaults } = settings
    return { version, defaults, configs, keys }
  }, { isolationLevel: 'repeatable read', accessMode: 'read only' })
}

/** The version alone: one row by its key, cheap enough to ask for every second. */
export async function readPolicyVersion (database: Drizzle): Promise<number> {
  const [settings] = await database.select({ version: gatewaySettings.policy_version }).from(gatewaySettings)
  if (settings === undefined) throw noSettings()
  return settings.version
}

/**
 * Raises the version and tells every instance, once the transaction commits. Comes last in a transaction that changes
 * policy: whoever holds the settings row waits for no other row, so that changes and batches do not deadlock.
 */
export async function announcePolicyChange (transaction: Drizzle): Promise<void> {
  await transaction.update(gatewaySettings)
    .set({ policy_version: sql`${gatewaySettings.policy_version} + 1` })
    .returning({ notified: sql`pg_notify(${POLICY_CHANNEL}, ${gatewaySettings.policy_version}::text)` })
}

const noSettings = (): Error => new Error('gateway_settings has no row: the migrations put one there.')
