import { Type, type Static } from 'typebox'
import { BUDGET_PERIODS, type BudgetPeriod } from '../../lib/budget-period.js'
import { Page } from '../keyset-page.js'
import { Instant, Nullable, PromptTypeName, Shared, Usd } from './common.js'

/** A billion USD: with 12 decimals still far from what the column holds. */
const MOST_USD = 1_000_000_000

const oneOf = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: values, description })

const fields = {
  // Control characters and line separators would break the lines of an e-mail.
  name: Type.String({
    minLength: 1,
    maxLength: 100,
    pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$',
    description: 'Its name in alerts and errors'
  }),
  prompt_type: Nullable(PromptTypeName()),
  period: oneOf<BudgetPeriod>(
    BUDGET_PERIODS, 'How long the limit holds: a UTC day, an ISO week (from Monday), a calendar month, or forever'
  ),
  limit_usd: Type.Number({
    exclusiveMinimum: 0, maximum: MOST_USD, description: 'USD a period; at most 12 decimals and 15 digits, stored exactly'
  }),
  thresholds: Type.Array(Type.Integer({ minimum: 1, maximum: 1000 }), {
    maxItems: 20, uniqueItems: true, description: 'Percent of the limit at which an alert fires, each once a period'
  }),
  action: oneOf(['alert', 'block'] as const, '`block`: from 100 % on calls are rejected until the period ends'),
  strict: Type.Boolean({
    description: 'With `block`: a call is also rejected if its cost ceiling exceeds what is left'
  }),
  webhook_url: Nullable(
    Type.String({
      maxLength: 2000,
      description: 'Alerts are sent there, signed as Standard Webhooks; a Slack incoming webhook works as it is'
    })
  ),
  email: Nullable(Type.String({ maxLength: 254, description: 'Alerts are sent there, over SMTP_URL' }))
}

const settings = {
  name: 'Image metadata, monthly',
  prompt_type: 'generate_image_metadata',
  period: 'month',
  limit_usd: 250,
  thresholds: [50, 80, 100],
  action: 'block',
  strict: false,
  webhook_url: 'https://hooks.slack.com/services/T000/B000/XXXX',
  email: null
}

const example = {
  id: '5b0f6f0e-2d0c-4d62-8a53-0f3c1b3a9c11',
  ...settings,
  spent_usd: 212.480316,
  period_start: '2026-11-01T00:00:00.000Z',
  period_end: '2026-12-01T00:00:00.000Z',
  state: 'warning',
  created_at: '2026-10-20T08:00:00.000Z',
  updated_at: '2026-10-21T09:30:00.000Z'
}

export const BudgetSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  ...fields,
  spent_usd: Usd('USD, in the current period'),
  period_start: Instant('When the current period began; of `total` the epoch'),
  period_end: Nullable(Instant('When it ends; null of `total`')),
  state: oneOf(
    ['ok', 'warning', 'exceeded'] as const, '`warning` from the lowest threshold on, `exceeded` from 100 % on'
  ),
  created_at: Instant('When the budget was created'),
  updated_at: Instant('When an operator last changed it')
}, {
  $id: 'Budget',
  description: 'A spending limit of a prompt type or of all traffic',
  examples: [example]
})
export type Budget = Static<typeof BudgetSchema>

const page = Page(Shared('Budget', BudgetSchema))
export const BudgetPageSchema = Type.Object({
  ...page.properties,
  sends_email: Type.Boolean({ description: 'Whether this gateway can send e-mail: it has an SMTP_URL' })
}, {
  description: 'One page of the list',
  examples: [{ items: [example], total: 1, next_cursor: null, sends_email: true }]
})

const optional = {
  prompt_type: Type.Optional(fields.prompt_type),
  thresholds: Type.Optional(fields.thresholds),
  action: Type.Optional(fields.action),
  strict: Type.Optional(fields.strict),
  webhook_url: Type.Optional(fields.webhook_url),
  email: Type.Optional(fields.email)
}

export const NewBudgetSchema = Type.Object({
  name: fields.name, period: fields.period, limit_usd: fields.limit_usd, ...optional
}, {
  additionalProperties: false,
  description: 'Without `prompt_type` for all traffic; without `thresholds` 50, 80 and 100 %; without `action` it only alerts',
  examples: [settings]
})
export type NewBudget = Static<typeof NewBudgetSchema>

export const BudgetPatchSchema = Type.Object({
  name: Type.Optional(fields.name),
  period: Type.Optional(fields.period),
  limit_usd: Type.Optional(
    fields.limit_usd
  ),
  ...optional
}, {
  additionalProperties: false,
  minProperties: 1,
  examples: [{ limit_usd: 300 }]
})
export type BudgetPatch = Static<typeof BudgetPatchSchema>
