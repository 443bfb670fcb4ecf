import { Badge, Group, Progress, Text } from '@mantine/core'
import type { Schema } from '../api/client.js'
import { money, several } from '../format.js'
import { useUnblockedTypes } from '../use-unblocked-types.js'
import { Time } from './values.js'

export type Budget = Schema['Budget']

const COLORS = { ok: 'teal', warning: 'orange', exceeded: 'red' } as const

/** What a state means for the calls to come. */
const MEANINGS = {
  ok: '',
  warning: 'An alert threshold is passed; calls continue.',
  exceeded: 'The limit is spent. Calls continue: this budget only alerts, or its block was lifted by hand.',
  blocking: 'The limit is spent. Its calls are rejected until the period ends, the limit is raised or the block is lifted.'
}

/**
 * How far a budget's period is spent, and whether it stops calls. `promptType`: for whom that is asked of a budget of
 * all traffic.
 */
export function BudgetBar ({ budget, promptType = budget.prompt_type }: {
  budget: Budget, promptType?: string | null
}) {
  const share = budget.spent_usd / budget.limit_usd
  const lifted = useUnblockedTypes(budget, promptType)
  const isBlocking = lifted === 0 || (lifted !== undefined && promptType === null)
  return (
    <div>
      <Group justify='space-between' gap={4} mb={2} wrap='nowrap'>
        <Text size='sm' truncate>
          {money(
            budget.spent_usd
          )} of {money(budget.limit_usd)} {budget.period === 'total' ? 'forever' : `a ${budget.period}`}
        </Text>
        {budget.state !== 'ok' && (
          <Badge
            size='xs' color={COLORS[budget.state]} style={{ flexShrink: 0 }}
            title={MEANINGS[isBlocking ? 'blocking' : budget.state]}
          >
            {isBlocking ? 'blocking' : budget.state}
          </Badge>
        )}
      </Group>
      <Progress.Root size='sm'>
        <Progress.Section
          value={Math.min(100, share * 100)} color={COLORS[budget.state]}
          aria-label={`${budget.name}: ${Math.round(share * 100)} % spent`}
        />
      </Progress.Root>
      {lifted !== undefined && lifted > 0 && (
        <Text size='xs' mt={2} style={{ whiteSpace: 'normal' }}>
          Lifted by hand{promptType === null &&
            ` for ${several(lifted, 'type')}`}{budget.period_end === null ? ', until its limit changes' : <> until <Time at={budget.period_end} /></>}
        </Text>
      )}
    </div>
  )
}
