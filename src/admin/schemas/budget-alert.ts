import { Type, type Static } from 'typebox'
import { ALERT_CHANNELS } from '../../lib/alert-observer.js'
import { BUDGET_PERIODS, type BudgetPeriod } from '../../lib/budget-period.js'
import { Count, Instant, Nullable, Usd } from './common.js'

const oneOf = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: values, description })

const AttemptSchema = Type.Object({
  at: Instant('When it began'),
  duration_ms: Count('Milliseconds'),
  status_code: Nullable(
    Type.Integer({ description: "Of the webhook's answer, or of the SMTP server's; null where there was none" })
  ),
  error: Nullable(Type.String({ description: 'Why it failed; null if it was delivered' }))
})

const DeliverySchema = Type.Object({
  id: Type.String({ format: 'uuid', description: 'Also the `webhook-id`, the same at every attempt' }),
  channel: oneOf(ALERT_CHANNELS, 'How it is sent'),
  target: Type.String({
    description: 'The address of an e-mail; of a webhook only scheme and host, for its path may be a secret'
  }),
  state: oneOf(['pending', 'delivered', 'failed'] as const, '`failed`: given up'),
  attempt_count: Count('Attempts that were begun; one that a crash cut short is not among `attempts`'),
  attempts: Type.Array(AttemptSchema, { description: 'Oldest first' }),
  next_attempt_at: Nullable(
    Instant('While it is pending: when it is tried next, or, during an attempt, when that counts as lost')
  ),
  delivered_at: Nullable(Instant('Null unless it was delivered'))
})

export const BudgetAlertSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  budget_id: Type.String({ format: 'uuid', description: 'The budget may be gone' }),
  budget_name: Type.String({ description: 'Its name when it fired; the fields that follow are also of that time' }),
  prompt_type: Nullable(Type.String({ description: 'Null: all traffic' })),
  period: oneOf<BudgetPeriod>(BUDGET_PERIODS, 'How long the limit held'),
  period_start: Instant('Of the period in which it fired'),
  threshold: Type.Integer({ description: 'Percent of the limit' }),
  action: oneOf(['alert', 'block'] as const, 'What the budget does at 100 %'),
  limit_usd: Usd('USD'),
  spent_usd: Usd('USD, when it fired'),
  created_at: Instant('When it fired'),
  deliveries: Type.Array(DeliverySchema, {
    description: 'One for each channel that the budget had; none if it had none'
  })
}, {
  $id: 'BudgetAlert',
  description: 'A threshold of a budget that was reached: once a period, however many instances run',
  examples: [{
    id: '0f0b6d2c-7a2e-4a0e-9a55-1d2f3a4b5c6d',
    budget_id: '5b0f6f0e-2d0c-4d62-8a53-0f3c1b3a9c11',
    budget_name: 'Image metadata, monthly',
    prompt_type: 'generate_image_metadata',
    period: 'month',
    period_start: '2026-11-01T00:00:00.000Z',
    threshold: 80,
    action: 'block',
    limit_usd: 250,
    spent_usd: 200.00031,
    created_at: '2026-11-20T16:20:00.000Z',
    deliveries: [{
      id: '7c1f2e3d-4b5a-4968-8776-655443322110',
      channel: 'webhook',
      target: 'https://hooks.slack.com',
      state: 'delivered',
      attempt_count: 2,
      attempts: [
        { at: '2026-11-20T16:20:00.200Z', duration_ms: 10000, status_code: null, error: 'no answer within 10 s' },
        { at: '2026-11-20T16:20:15.100Z', duration_ms: 120, status_code: 200, error: null }
      ],
      next_attempt_at: null,
      delivered_at: '2026-11-20T16:20:15.220Z'
    }]
  }]
})
export type BudgetAlert = Static<typeof BudgetAlertSchema>
export type AlertDelivery = BudgetAlert['deliveries'][number]
