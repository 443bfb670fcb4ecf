import type { Drizzle } from '../../db/database.js'
import { sql } from 'drizzle-orm'
import { gatewaySettings } from '../../db/schema/index.js'
import type { Settings, SettingsPatch } from '../schemas/settings.js'

const columns = {
  default_track_full_data: gatewaySettings.default_track_full_data,
  default_is_active: gatewaySettings.default_is_active
}

/** The settings; with a lock, no other transaction changes them before this one ends. */
export async function readSettings (database: Drizzle, lock?: 'for update'): Promise<Settings> {
  const settings = database.select(columns).from(gatewaySettings)
  return theOneRow(await (lock === undefined ? settings : settings.for('update')))
}

export async function updateSettings (transaction: Drizzle, patch: SettingsPatch): Promise<Settings> {
  return theOneRow(
    await transaction.update(gatewaySettings).set({ ...patch, updated_at: sql`now()` }).returning(columns)
  )
}

/** The first migration makes the row, and nothing deletes it. */
function theOneRow ([settings]: Settings[]): Settings {
  if (settings === undefined) throw new Error('gateway_settings has no row')
  return settings
}
