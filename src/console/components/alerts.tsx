import { Badge, Paper, Stack, Table, Text } from '@mantine/core'
import { type Schema, api, bodyOf } from '../api/client.js'
import { duration, several } from '../format.js'
import { type ListPage, after, useList } from '../lists.js'
import { useIsPhone } from '../use-is-phone.js'
import { type Column, DataTable } from './data-table.js'
import { Empty, Failure, Loading } from './states.js'
import { Money, Time } from './values.js'

type BudgetAlert = Schema['BudgetAlert']
type Delivery = BudgetAlert['deliveries'][number]

/** Where a message stands, and what happens next. */
function standing ({ state, attempt_count: attempts }: Delivery): { word: string, color: string } {
  if (state === 'delivered') return { word: 'delivered', color: 'teal' }
  if (state === 'failed') return { word: 'given up', color: 'red' }
  return attempts === 0 ? { word: 'sending', color: 'gray' } : { word: 'retrying', color: 'orange' }
}

/** Thresholds that were crossed, and how each message about it fared. */
export function Alerts () {
  const { query, rows, total } = useList<BudgetAlert>(['budget-alerts'], async cursor =>
    await bodyOf<ListPage<BudgetAlert>>(
      api.GET('/admin/api/budget-alerts', { params: { query: { limit: 100, ...after(cursor) } } })
    ))
  if (query.data === undefined) {
    return query.isError
      ? <Failure error={query.error} onRetry={() => { void query.refetch() }} />
      : <Loading what='alerts' />
  }
  if (rows.length === 0) return <Empty title='No threshold was crossed yet' />
  return (
    <DataTable
      label='Alerts' columns={columns} rows={highestFirst(rows)} keyOf={alert =>
        alert.id} total={total} hasMore={query.hasNextPage} onMore={() => {
          void query.fetchNextPage()
        }}
    />
  )
}

/** One call may cross several thresholds: of those of one moment the highest says most. */
const highestFirst = (alerts: readonly BudgetAlert[]): BudgetAlert[] =>
  [...alerts].sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at) || b.threshold - a.threshold)

const columns: ReadonlyArray<Column<BudgetAlert>> = [
  {
    key: 'created_at',
    header: 'When (UTC)',
    width: 150,
    isWideOnly: true,
    render: alert => <Time at={alert.created_at} isBare />
  },
  {
    key: 'budget', header: 'Budget', render: alert => alert.budget_name, note: alert => <Time at={alert.created_at} />
  },
  { key: 'scope', header: 'For', isWideOnly: true, render: alert => alert.prompt_type ?? 'all traffic' },
  { key: 'threshold', header: 'Threshold', shortHeader: 'At', isNumber: true, render: alert => `${alert.threshold} %` },
  {
    key: 'spent',
    header: 'Spent',
    isNumber: true,
    render: alert => <><Money usd={alert.spent_usd} /> of <Money usd={alert.limit_usd} /></>,
    note: alert => <Deliveries alert={alert} />
  },
  { key: 'deliveries', header: 'Delivered', isWideOnly: true, render: alert => <Deliveries alert={alert} /> }
]

function Deliveries ({ alert: { deliveries } }: { alert: BudgetAlert }) {
  if (deliveries.length === 0) return <Text span size='xs' c='dimmed'>no recipient set</Text>
  return <Stack gap={4}>{deliveries.map(delivery => <DeliveryView key={delivery.id} delivery={delivery} />)}</Stack>
}

function DeliveryView ({ delivery }: { delivery: Delivery }) {
  const isPhone = useIsPhone()
  const { word, color } = standing(delivery)
  const words = `${delivery.channel} to ${delivery.target}, ${several(delivery.attempt_count, 'attempt')}`
  const isWaiting = word === 'retrying' && delivery.next_attempt_at !== null
  return (
    <details>
      <summary>
        <Badge size='sm' variant='light' color={color}>{word}</Badge>
        <Text span size='xs'> {isPhone ? delivery.channel : words}</Text>
        {isWaiting && <Text span size='xs'>, next at <Time at={delivery.next_attempt_at} /></Text>}
      </summary>
      <Paper withBorder p={4} mt={4} ta='left'>
        {isPhone && <Text size='xs'>{words}</Text>}
        <Table fz='xs' verticalSpacing={2}>
          <Table.Thead>
            <Table.Tr><Table.Th>At</Table.Th><Table.Th>Took</Table.Th><Table.Th>Answer</Table.Th></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {delivery.attempts.map(attempt => (
              <Table.Tr key={attempt.at}>
                <Table.Td><Time at={attempt.at} /></Table.Td>
                <Table.Td>{duration(attempt.duration_ms)}</Table.Td>
                <Table.Td>{attempt.error ?? String(attempt.status_code ?? 'delivered')}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        {delivery.state === 'failed' && (
          <Text size='xs' c='dimmed' maw='40ch' style={{ whiteSpace: 'normal' }}>
            This message is not sent again. Fix what the last answer names; the next threshold sends a new message.
          </Text>
        )}
      </Paper>
    </details>
  )
}
