import { Group, Paper, Text } from '@mantine/core'
import type { ReactNode } from 'react'

/** One figure with its name, and what to make of it. */
export function Stat ({ name, value, note }: { name: string, value: ReactNode, note?: ReactNode }) {
  return (
    <Paper withBorder p={{ base: 'xs', sm: 'sm' }} role='group' aria-label={name}>
      <Text size='xs' c='dimmed'>{name}</Text>
      <Group gap='2px 6px' align='baseline'>
        <Text component='div' fz='1.25rem' fw={600} style={{ fontVariantNumeric: 'tabular-nums' }}>{value}</Text>
        {note}
      </Group>
    </Paper>
  )
}
