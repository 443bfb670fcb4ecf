import { Type, type Static } from 'typebox'

const fields = {
  default_track_full_data: Type.Boolean({ description: 'What track_full_data of a new prompt type starts with' }),
  default_is_active: Type.Boolean({ description: 'What is_active of a new prompt type starts with' })
}

export const SettingsSchema = Type.Object(fields, {
  $id: 'Settings',
  description: 'What a new prompt type starts with',
  examples: [{ default_track_full_data: false, default_is_active: true }]
})
export type Settings = Static<typeof SettingsSchema>

export const SettingsPatchSchema = Type.Object({
  default_track_full_data: Type.Optional(fields.default_track_full_data),
  default_is_active: Type.Optional(fields.default_is_active)
}, {
  additionalProperties: false,
  minProperties: 1,
  examples: [{ default_track_full_data: true }]
})
export type SettingsPatch = Static<typeof SettingsPatchSchema>
