import { Alert, Anchor, Paper, SegmentedControl, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Link } from 'wouter'
import { api, bodyOf } from '../api/client.js'
import { BudgetBar, type Budget } from '../components/budget-bar.js'
import { CostChart } from '../components/cost-chart.js'
import { FirstCall } from '../components/first-call.js'
import { useReadiness } from '../components/health.js'
import { Page } from '../components/page.js'
import { RangePicker, useComparison, useRange } from '../components/range-picker.js'
import { SpendSoFar, Sum } from '../components/spend-so-far.js'
import { Spent } from '../components/spent.js'
import { Stat } from '../components/stat.js'
import { Failure, Loaded, Stale } from '../components/states.js'
import { ComparedWith, NAME, TopMovers, TypeLink } from '../components/top-movers.js'
import { Change } from '../components/values.js'
import { type CostGroup, costSeries, useCosts, withRest } from '../costs.js'
import { change, count, several } from '../format.js'
import type { ListPage } from '../lists.js'
import type { Range } from '../range.js'
import { useUrlValue } from '../url-state.js'
import { linkText } from '../utc.js'

const SHOWN_GROUPS = 8
const SHOWN_BUDGETS = 9

/** Where the money goes, and whether anything needs a hand. */
export default function Overview () {
  const range = useRange()
  const totals = useCosts(range)
  const isEmpty = !totals.isPlaceholderData && totals.data?.totals.calls === 0 && totals.data.totals.blocked_calls === 0
  return (
    <Page title='Overview' actions={<RangePicker />}>
      <Degraded />
      <SpendSoFar />
      <RangeFigures range={range} />
      {isEmpty ? <Paper withBorder><AnyCallYet /></Paper> : <SpendOverTime range={range} />}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing='md'>
        <MostExpensive range={range} />
        <TopMovers range={range} />
      </SimpleGrid>
      <Budgets />
    </Page>
  )
}

/** Says what to do first before the first call ever; a range without calls is no reason for that. */
function AnyCallYet () {
  const { data } = useQuery({
    queryKey: ['any-config'],
    queryFn: async () => await bodyOf<ListPage<unknown>>(
      api.GET('/admin/api/prompt-configs', { params: { query: { limit: 1 } } })
    )
  })
  if (data === undefined) return null
  return data.total === 0 ? <FirstCall /> : <Text p='md' size='sm' c='dimmed'>No calls in this range.</Text>
}

function Degraded () {
  const { data } = useReadiness()
  if (data === undefined || data.status === 'ok') return null
  return (
    <Alert color='orange' title='The gateway is degraded' role='alert'>
      {data.database !== 'ok' && (
        <Text size='sm'>
          The database is unavailable. The last known policy applies; records go to the journal on disk.
        </Text>
      )}
      {data.journal === 'in_use' && (
        <Text size='sm'>
          {several(
            data.records_pending, 'record'
          )} {data.records_pending === 1 ? 'is' : 'are'} on the way from the journal into the database.
        </Text>
      )}
      {data.journal === 'failing' && (
        <Text size='sm'>The journal's disk rejects writes: records are being lost. Check DATA_DIR.</Text>
      )}
    </Alert>
  )
}

function RangeFigures ({ range }: { range: Range }) {
  const compared = useComparison(range)
  const [now, part, previous] = [useCosts(range), useCosts(compared?.now ?? null), useCosts(compared?.before ?? null)]
  const { data: blocked } = useQuery({
    queryKey: ['blocked-types'],
    refetchInterval: 30_000,
    queryFn: async () => await bodyOf<ListPage<unknown>>(
      api.GET('/admin/api/prompt-configs', { params: { query: { blocked: true, limit: 1 } } })
    )
  })
  const totals = now.data?.totals
  const [done, old] = compared === null ? [] : [part.data?.totals, previous.data?.totals]
  if (totals === undefined) {
    return now.isError
      ? <Failure error={now.error} onRetry={() => { void now.refetch() }} />
      : null
  }
  const failedCalls =
    `/usage-log?${new URLSearchParams({ success: 'false', from: linkText(range.from), to: linkText(range.to) }).toString()}`
  return (
    <Stale isStale={now.isPlaceholderData || part.isPlaceholderData || previous.isPlaceholderData}>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing='sm'>
        <Stat
          name='Spend in this range' value={<Sum of={totals} />}
          note={done !== undefined && old !== undefined && <Change share={change(done.cost, old.cost)} />}
        />
        <Stat
          name='Calls' value={count(totals.calls)}
          note={done !== undefined && old !== undefined && <Change share={change(done.calls, old.calls)} />}
        />
        <Stat
          name='Failed' value={count(totals.failed_calls)}
          note={totals.failed_calls > 0 && <Anchor component={Link} href={failedCalls} size='xs'>see them</Anchor>}
        />
        <Stat
          name='Unpriced' value={count(totals.unpriced_calls)}
          note={totals.unpriced_calls > 0 && <Anchor component={Link} href='/prices' size='xs'>set prices</Anchor>}
        />
        <Stat
          name='Blocked now' value={blocked === undefined ? '…' : several(blocked.total, 'type')}
          note={blocked !== undefined && blocked.total > 0 && (
            <Anchor component={Link} href='/prompt-types?blocked=true' size='xs'>see them</Anchor>
          )}
        />
      </SimpleGrid>
      <Text size='xs' c='dimmed' mt={6}><ComparedWith compared={compared} /></Text>
    </Stale>
  )
}

const GROUPS: Record<Exclude<CostGroup, 'none'>, string> = { prompt_type: 'Prompt type', model: 'Model', user: 'User' }

function SpendOverTime ({ range }: { range: Range }) {
  const [group, setGroup] = useUrlValue('by', 'prompt_type')
  const groupBy = Object.hasOwn(GROUPS, group) ? group as keyof typeof GROUPS : 'prompt_type'
  const grouped = useCosts(range, { groupBy, interval: 'range', limit: SHOWN_GROUPS })
  const all = useCosts(range, { interval: 'range' })
  const chart = useMemo(() => withRest(
    costSeries(grouped.data?.items ?? [], range), all.data?.items ?? []
  ), [grouped.data, all.data, range])
  return (
    <Loaded query={grouped} what='spend over time' isStale={grouped.isPlaceholderData || all.isPlaceholderData}>
      {() => (
        <CostChart title='Spend over time' times={chart.times} interval={range.interval} series={chart.series} stacked>
          <SegmentedControl
            size='xs' value={groupBy} onChange={setGroup}
            data={Object.entries(GROUPS).map(([value, label]) => ({ value, label }))} aria-label='Grouped by'
          />
        </CostChart>
      )}
    </Loaded>
  )
}

function MostExpensive ({ range }: { range: Range }) {
  const query = useCosts(range, { groupBy: 'prompt_type', limit: 10 })
  return (
    <Paper withBorder p='sm'>
      <Title order={2} mb='xs'>Most expensive</Title>
      <Loaded query={query} what='prompt types'>
        {({ items, totals }) => items.length === 0
          ? <Text size='sm' c='dimmed'>Nothing was spent.</Text>
          : (
            <Table aria-label='Most expensive' fz='sm' verticalSpacing={4} horizontalSpacing={6}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Prompt type</Table.Th>
                  <Table.Th className='number' visibleFrom='xs'>Calls</Table.Th>
                  <Table.Th className='number'>Cost</Table.Th>
                  <Table.Th className='number'>Share</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map(item => (
                  <Table.Tr key={item.group}>
                    <Table.Td style={NAME}><TypeLink name={item.group} /></Table.Td>
                    <Table.Td className='number' visibleFrom='xs'>{count(item.calls)}</Table.Td>
                    <Table.Td className='number'>
                      <Spent config={{ total_cost: item.cost, unpriced_calls: item.unpriced_calls }} />
                    </Table.Td>
                    <Table.Td className='number'>
                      {totals.cost === 0 || (item.cost === 0 && item.unpriced_calls > 0)
                        ? '–'
                        : item.cost > 0 && item.cost < totals.cost / 100
                          ? '<1 %'
                          : `${Math.round(item.cost / totals.cost * 100)} %`}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            )}
      </Loaded>
    </Paper>
  )
}

function Budgets () {
  const query = useQuery({
    queryKey: ['budgets', 'overview'],
    refetchInterval: 30_000,
    queryFn: async () => await bodyOf<ListPage<Budget>>(
      api.GET('/admin/api/budgets', { params: { query: { limit: 500 } } })
    )
  })
  return (
    <Paper withBorder p='sm'>
      <Title order={2} mb='xs'>Budgets</Title>
      <Loaded query={query} what='budgets'>
        {({ items, total }) => items.length === 0
          ? (
            <Text size='sm' c='dimmed'>
              There are none. <Link href='/budgets'>Set one</Link>, to be alerted before the money is gone.
            </Text>
            )
          : (
            <Stack gap='sm'>
              <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing='md'>
                {[...items].sort((a, b) => b.spent_usd / b.limit_usd - a.spent_usd / a.limit_usd)
                  .slice(0, SHOWN_BUDGETS)
                  .map(budget => (
                    <Stack key={budget.id} gap={2}>
                      <Text size='sm' fw={600} style={NAME}>{budget.name}</Text>
                      <BudgetBar budget={budget} />
                    </Stack>
                  ))}
              </SimpleGrid>
              {total > SHOWN_BUDGETS && (
                <Text size='sm' c='dimmed'>
                  The fullest {SHOWN_BUDGETS} of {total > items.length ? `the newest ${items.length}` : total}.{' '}
                  <Link href='/budgets'>All {count(total)} budgets</Link>
                </Text>
              )}
            </Stack>
            )}
      </Loaded>
    </Paper>
  )
}
