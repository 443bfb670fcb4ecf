import { Alert, Button, Center, Group, Loader, Stack, Text, Title } from '@mantine/core'
import { IconAlertTriangle, IconInbox } from '@tabler/icons-react'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { utcTime } from '../format.js'

/** What stands where data will be: said to screen readers too. */
export function Loading ({ what }: { what: string }) {
  return (
    <Center py='xl' role='status'>
      <Group gap='xs'><Loader size='sm' /><Text c='dimmed'>Loading {what}…</Text></Group>
    </Center>
  )
}

/** Why there is nothing, and what to do. */
export function Failure ({ error, onRetry }: { error: Error, onRetry: () => void }) {
  return (
    <Alert color='red' variant='light' icon={<IconAlertTriangle />} title='This could not be loaded' role='alert'>
      <Stack gap='xs' align='flex-start'>
        <Text size='sm'>{error.message}</Text>
        <Button size='xs' variant='default' onClick={onRetry}>Try again</Button>
      </Stack>
    </Alert>
  )
}

export function Empty ({ title, children }: { title: string, children?: ReactNode }) {
  return (
    <Stack align='center' py='xl' gap='xs'>
      <IconInbox size={32} stroke={1.2} aria-hidden />
      <Title order={3}>{title}</Title>
      {children}
    </Stack>
  )
}

/** Over what is shown although it could not be loaded anew: how old it is, and why. */
export function Outdated ({ query }: {
  query: Pick<UseQueryResult, 'isError' | 'error' | 'data' | 'dataUpdatedAt' | 'refetch'>
}) {
  if (!query.isError || query.data === undefined || query.error === null) return null
  return (
    <Group gap='xs' role='alert'>
      <Text size='xs' c='red'>
        Not up to date since {utcTime(new Date(query.dataUpdatedAt).toISOString())}: {query.error.message}
      </Text>
      <Button size='compact-xs' variant='default' onClick={() => { void query.refetch() }}>Try again</Button>
    </Group>
  )
}

/** Dims what still is of another range or choice than the one that is named: the right one is on its way. */
export function Stale ({ isStale, children }: { isStale: boolean, children: ReactNode }) {
  return <div aria-busy={isStale} style={{ opacity: isStale ? 0.5 : 1 }}>{children}</div>
}

/** The three states of a query, and its data once there is some: what is shown stays while it is loaded anew. */
export function Loaded<T> ({ query, what, isStale = query.isPlaceholderData, children }: {
  query: UseQueryResult<T>, what: string, isStale?: boolean, children: (data: T) => ReactNode
}) {
  if (query.data !== undefined) {
    return (
      <>
        <Outdated query={query} />
        <Stale isStale={isStale}>{children(query.data)}</Stale>
      </>
    )
  }
  if (query.isError) return <Failure error={query.error} onRetry={() => { void query.refetch() }} />
  return <Loading what={what} />
}
