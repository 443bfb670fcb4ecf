import { Box, Button, Group } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconFilter } from '@tabler/icons-react'
import type { ReactNode } from 'react'

/** A list's filters in a row; on a narrow screen, where they would fill it, behind a button. */
export function FilterBar ({ active, onClear, children }: {
  active: number, onClear: () => void, children: ReactNode
}) {
  const [opened, { toggle }] = useDisclosure(false)
  return (
    <Box component='search' aria-label='Filters'>
      <Group gap='xs'>
        <Button
          size='xs' variant='default' hiddenFrom='sm' leftSection={<IconFilter size={14} />} aria-expanded={opened}
          onClick={toggle}
        >
          {active === 0 ? 'Filters' : `Filters (${active})`}
        </Button>
        <Group gap='xs' {...(opened ? {} : { visibleFrom: 'sm' as const })}>{children}</Group>
        {active > 0 && <Button size='xs' variant='subtle' onClick={onClear}>Clear filters</Button>}
      </Group>
    </Box>
  )
}
