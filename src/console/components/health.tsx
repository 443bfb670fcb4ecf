import { Badge, Tooltip } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'

interface Readiness {
  readonly status: string
  readonly database: string
  readonly journal: string
  readonly records_pending: number
}

/** What `/readyz` says, every ten seconds: it answers while the database is unavailable. */
export function useReadiness () {
  return useQuery({
    queryKey: ['readyz'],
    refetchInterval: 10_000,
    retry: false,
    queryFn: async (): Promise<Readiness> => await (await fetch('/readyz')).json() as Readiness
  })
}

/** Whether the books are up to date, in every page's header. */
export function Health () {
  const { data, isError } = useReadiness()
  if (data === undefined) return isError ? <Badge color='red' variant='filled'>gateway unreachable</Badge> : null
  const { status, database, journal, records_pending: pending } = data
  if (isError) return <Badge color='red' variant='filled'>gateway unreachable</Badge>
  const words =
    `Database: ${database}. Journal: ${journal.replace('_', ' ')}. Records not in the database yet: ${pending}.`
  return (
    <Tooltip label={words}>
      <Badge
        tabIndex={0} role='status' aria-label={`Gateway ${status}. ${words}`}
        color={status === 'ready' || status === 'ok' ? 'teal' : 'orange'} variant='light'
      >
        {status}
      </Badge>
    </Tooltip>
  )
}
