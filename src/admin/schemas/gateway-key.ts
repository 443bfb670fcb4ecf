import { Type, type Static } from 'typebox'
import { Page } from '../keyset-page.js'
import { Instant, InstantText, Nullable, PromptTypeName, Shared } from './common.js'

const name = Type.String({ minLength: 1, maxLength: 100, description: 'Who or what uses the key' })
const user = Nullable(
  Type.String({
    minLength: 1, maxLength: 256, description: 'The user of calls that name none; null: the name of the key'
  })
)
const allowed = Type.Array(PromptTypeName(), {
  minItems: 1,
  maxItems: 1000,
  uniqueItems: true,
  description: 'The only prompt types that the key may use; null: all'
})

const example = {
  id: '2f1de5a4-6f0a-4d5e-9a51-8f1f3d2b7c10',
  name: 'importer in production',
  user: 'importer',
  allowed_prompt_types: ['select_best_tags'],
  expires_at: '2027-11-22T00:00:00.000Z',
  created_at: '2026-11-22T21:04:05.678Z',
  last_used_at: null
}

export const GatewayKeySchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  name,
  user,
  allowed_prompt_types: Nullable(allowed),
  expires_at: Nullable(Instant('From then on the key is rejected; null: never')),
  created_at: Instant('When the key was created'),
  last_used_at: Nullable(Instant('The latest call with it; null before the first'))
}, {
  $id: 'GatewayKey',
  description: 'A gateway key; the key itself is not stored',
  examples: [example]
})
export type GatewayKey = Static<typeof GatewayKeySchema>

const page = Page(Shared('GatewayKey', GatewayKeySchema))
export const GatewayKeyPageSchema = Type.Object({
  ...page.properties,
  accepted: Type.Boolean({
    description: 'Whether calls with a gateway key are served: the gateway has an UPSTREAM_API_KEY'
  })
}, {
  description: 'One page of the list',
  examples: [{ items: [example], total: 1, next_cursor: null, accepted: true }]
})

export const CreatedGatewayKeySchema = Type.Object({
  ...GatewayKeySchema.properties,
  key: Type.String({
    pattern: '^pm_[A-Za-z0-9_-]{43}$', description: 'The key itself. It is shown only here, once'
  })
}, {
  $id: 'CreatedGatewayKey',
  description: 'The new key',
  examples: [{ ...example, key: 'pm_EXAMPLE_0123456789_0123456789_0123456789_01' }]
})

const optional = {
  user: Type.Optional(user),
  allowed_prompt_types: Type.Optional(Nullable(allowed)),
  expires_at: Type.Optional(Nullable(InstantText('In the future; null: never')))
}

export const NewGatewayKeySchema = Type.Object({ name, ...optional }, {
  additionalProperties: false,
  examples: [
    {
      name: 'importer in production',
      user: 'importer',
      allowed_prompt_types: ['select_best_tags'],
      expires_at: '2027-11-22T00:00:00Z'
    }
  ]
})
export type NewGatewayKey = Static<typeof NewGatewayKeySchema>

export const GatewayKeyPatchSchema = Type.Object({ name: Type.Optional(name), ...optional }, {
  additionalProperties: false,
  minProperties: 1,
  examples: [{ allowed_prompt_types: null }]
})
export type GatewayKeyPatch = Static<typeof GatewayKeyPatchSchema>
