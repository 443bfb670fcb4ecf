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
      <Group justify='space-between' gap='xs' mb={2}>
        <Text size='sm'>{money(budget.spent_usd)} of {money(budget.limit_usd)} a {budget.period === 'total' ? 'lifetime' : budget.period}</Text>
        <Group gap={4}>
          {budget.state !== 'ok' && <Badge size='xs' color={COLORS[budget.state]}>{budget.state}</Badge>}
          {budget.state === 'exceeded' && budget.action === 'block' && <Badge size='xs' color='red' variant='filled'>blocks</Badge>}
        </Group>
      </Group>
      <Progress.Root size='sm'>
        <Progress.Section value={Math.min(100, share * 100)} color={COLORS[budget.state]} aria-label={`${budget.name}: ${Math.round(share * 100)} % spent`} />
      </Progress.Root>
    </div>
  )
}
