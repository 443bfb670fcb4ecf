import { Type } from 'typebox'
import { InstantText } from './common.js'

/** The filters of the list, in a query string or a body. */
export const promptConfigFilter = {
  prompt_type: Type.Optional(
    Type.String({ maxLength: 1000, description: 'This very prompt type', examples: ['generate_image_metadata'] })
  ),
  search: Type.Optional(
    Type.String({ maxLength: 1000, description: 'Part of prompt_type or description, in any case' })
  ),
  track_full_data: Type.Optional(Type.Boolean()),
  is_active: Type.Optional(Type.Boolean()),
  blocked: Type.Optional(Type.Boolean({ description: 'A budget stops its calls now' })),
  created_after: Type.Optional(InstantText('Created at this time or later')),
  created_before: Type.Optional(InstantText('Created before this time'))
}
