import { Group, Stack } from '@mantine/core'
import type { ReactNode } from 'react'
import { useIsPhone } from '../use-is-phone.js'

/** What can be done with a row, at its end: side by side, on a phone on top of one another. */
export function RowButtons ({ children }: { children: ReactNode }) {
  return useIsPhone()
    ? <Stack gap={6}>{children}</Stack>
    : <Group gap={4} wrap='nowrap' justify='flex-end'>{children}</Group>
}
