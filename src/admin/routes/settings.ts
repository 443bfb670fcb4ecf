import { readSettings, updateSettings } from '../queries/settings.js'
import { errors, Shared } from '../schemas/common.js'
import { SettingsSchema, SettingsPatchSchema } from '../schemas/settings.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const tags = ['Settings']

export function settingsRoutes (app: AdminApp, { database, changePolicy }: RouteDependencies): void {
  app.addSchema(SettingsSchema)
  app.get('/settings', {
    schema: {
      operationId: 'getSettings',
      tags,
      summary: 'Read the settings',
      description: 'What a new prompt type starts with.',
      response: { 200: Shared('Settings', SettingsSchema), ...errors }
    }
  }, async () => await readSettings(database.operator))

  app.patch('/settings', {
    schema: {
      operationId: 'changeSettings',
      tags,
      summary: 'Change the settings',
      description: 'Applies to prompt types that are created from now on; existing ones retain their switches.',
      body: SettingsPatchSchema,
      response: { 200: Shared('Settings', SettingsSchema), ...errors }
    }
  }, async request => await changePolicy(async (transaction, audit) => {
    const before = await readSettings(transaction, 'for update')
    const after = await updateSettings(transaction, request.body)
    await audit({ action: 'settings.update', target: 'settings', before, after })
    return after
  }))
}
