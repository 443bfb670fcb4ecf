import { Type, type Static } from 'typebox'
import { Instant, NullableJsonObject } from './common.js'

export const AuditLogSchema = Type.Object({
  id: Type.String({ format: 'uuid', description: 'UUIDv7' }),
  created_at: Instant('When it was changed'),
  username: Type.String({ description: 'Whose login it was' }),
  action: Type.String({ description: 'What was done, as `thing.verb`' }),
  target: Type.String({ description: 'What it was done to: a prompt type, an id, a model' }),
  before: NullableJsonObject('What it was, as this API shows it; null where it was created'),
  after: NullableJsonObject('What it became; null where it was deleted')
}, {
  $id: 'AuditLog',
  description: 'One change that was made through this API',
  examples: [{
    id: '019aae3f-9c4e-7cc3-98c4-dc0c0c07398f',
    created_at: '2026-11-22T21:04:05.678Z',
    username: 'admin',
    action: 'prompt_config.update',
    target: 'generate_image_metadata',
    before: {
      prompt_type: 'generate_image_metadata', description: 'Alt text and tags for an uploaded image', track_full_data: false, is_active: true
    },
    after: {
      prompt_type: 'generate_image_metadata', description: 'Alt text and tags for an uploaded image', track_full_data: true, is_active: true
    }
  }]
})
export type AuditLog = Static<typeof AuditLogSchema>
