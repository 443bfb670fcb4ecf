import { Badge, Group, Tooltip } from '@mantine/core'
import { several } from '../format.js'
import type { PromptConfig } from '../prompt-configs.js'
import { Money } from './values.js'

/** What a prompt type cost. Calls without a known price are not free: they are named. */
export function Spent ({ config: { total_cost: cost, unpriced_calls: unpriced } }: {
  config: Pick<PromptConfig, 'total_cost' | 'unpriced_calls'>
}) {
  if (unpriced === 0) return <Money usd={cost} />
  return (
    <Group gap={4} wrap='nowrap' justify='inherit' display='inline-flex'>
      <Tooltip label={`${several(unpriced, 'call')} without a price`}>
        <Badge
          size='xs' color='orange' variant='light' tabIndex={0} style={{ flexShrink: 0, overflow: 'visible' }}
          miw='max-content'
        >
          {cost === 0 ? 'unpriced' : '+ unpriced'}
        </Badge>
      </Tooltip>
      {cost > 0 && <Money usd={cost} />}
    </Group>
  )
}

/** An average over calls of which none has a price is not known. */
export const perCall = ({
  total_cost: cost, unpriced_calls: unpriced, avg_cost_per_call: average
}: Pick<PromptConfig, 'total_cost' | 'unpriced_calls' | 'avg_cost_per_call'>): number | null =>
  cost === 0 && unpriced > 0 ? null : average
