import { Badge, Text, Tooltip } from '@mantine/core'
import type { UsageLogSummary } from '../usage-logs.js'
import { useIsPhone } from '../use-is-phone.js'
import { Money } from './values.js'

/** How a call ended; on a phone by its code alone. */
export function CallStatus ({ call: { success, status_code: status, error_type: error } }: {
  call: Pick<UsageLogSummary, 'success' | 'status_code' | 'error_type'>
}) {
  const isPhone = useIsPhone()
  const words = [status, error === null ? null : error.replaceAll('_', ' ')].filter(part => part !== null).join(' ')
  return (
    <Badge size='sm' variant='light' tt='none' color={success ? 'teal' : 'red'} title={words}>{isPhone
      ? status
      : words}
    </Badge>
  )
}

const REASONS = new Map([
  ['unknown_model', 'No price is known for this model: set one under Prices, then reprice'],
  ['no_usage', 'The answer does not say what was used'],
  ['not_metered', 'There is nothing to bill: the request reads or is free, or was rejected here']
])

/** Why a call has no cost, and what to do. */
export const costReason = (reason: string | null): string => REASONS.get(reason ?? '') ?? 'No cost is known'

/** What a call cost, or why that is not known: not known is not free. A failed call without usage needs no price. */
export function CallCost ({ call: { cost, cost_reason: reason, success } }: {
  call: Pick<UsageLogSummary, 'cost' | 'cost_reason' | 'success'>
}) {
  if (cost !== null) return <Money usd={cost} />
  const label = costReason(reason)
  return (
    <Tooltip label={label}>
      {reason === 'not_metered' || (reason === 'no_usage' && !success)
        ? <Text span c='dimmed' inherit>–</Text>
        : <Badge size='xs' color='orange' variant='light'>unpriced</Badge>}
    </Tooltip>
  )
}
