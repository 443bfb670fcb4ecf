import { Group, Stack, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import type { ReactNode } from 'react'
import { Breakable } from './breakable.js'

/** A page's heading, what belongs beside it, and its content. */
export function Page ({ title, actions, children }: { title: string, actions?: ReactNode, children: ReactNode }) {
  useDocumentTitle(`${title} · promptmeter`)
  return (
    <Stack gap='md'>
      <Group justify='space-between' gap='sm'>
        <Title order={1}><Breakable text={title} /></Title>
        <Group gap='xs'>{actions}</Group>
      </Group>
      {children}
    </Stack>
  )
}
