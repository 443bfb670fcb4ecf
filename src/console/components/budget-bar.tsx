import { Badge, Group, Progress, Text } from '@mantine/core'
import type { Schema } from '../api/client.js'
import { money } from '../format.js'

export type Budget = Schema['Budget']

const COLORS = { ok: 'teal', warning: 'orange', exceeded: 'red' } as const

/** How far a budget's period is spent. */
export function BudgetBar ({ budget }: { budget: Budget }) {
  const share = budget.spent_usd / budget.limit_usd
  return (
    <div>
      <Group justify='space-between' gap={4} mb={2} wrap='nowrap'>
        <Text size='sm' truncate>{money(budget.spent_usd)} of {money(budget.limit_usd)} {budget.period === 'total' ? 'for ever' : `a ${budget.period}`}</Text>
        {budget.state !== 'ok' && (
          <Badge size='xs' color={COLORS[budget.state]} style={{ flexShrink: 0 }}>{budget.state === 'exceeded' && budget.action === 'block' ? 'blocking' : budget.state}</Badge>
        )}
      </Group>
      <Progress.Root size='sm'>
        <Progress.Section value={Math.min(100, share * 100)} color={COLORS[budget.state]} aria-label={`${budget.name}: ${Math.round(share * 100)} % spent`} />
      </Progress.Root>
    </div>
  )
}
