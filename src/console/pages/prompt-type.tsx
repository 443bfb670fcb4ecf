import { Accordion, Alert, Badge, Group, Paper, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from 'wouter'
import { ApiError, api, bodyOf } from '../api/client.js'
import { BudgetBar, type Budget } from '../components/budget-bar.js'
import { Fact } from '../components/call-details.js'
import { CallCost, CallStatus } from '../components/call-values.js'
import { Blocked, Configuration } from '../components/configuration.js'
import { Conversation } from '../components/conversation.js'
import { CostChart } from '../components/cost-chart.js'
import { Page } from '../components/page.js'
import { RangePicker, useRange } from '../components/range-picker.js'
import { ScrollRegion } from '../components/scroll-region.js'
import { Spent, perCall } from '../components/spent.js'
import { Stat } from '../components/stat.js'
import { Empty, Failure, Loaded, Loading, Outdated } from '../components/states.js'
import { Money, Time } from '../components/values.js'
import { WhatIf } from '../components/what-if.js'
import { type CostGroup, type CostItem, costSeries, toSeries, useCosts } from '../costs.js'
import { count, duration } from '../format.js'
import type { ListPage } from '../lists.js'
import { type PromptConfig, usePromptConfig } from '../prompt-configs.js'
import type { Range } from '../range.js'
import { type UsageLogSummary, useUsageLogs } from '../usage-logs.js'

/** One prompt type: its switches, what it costs, what it last said. */
export default function PromptTypePage () {
  const { promptType: encoded = '' } = useParams()
  const promptType = decoded(encoded)
  const range = useRange()
  const query = usePromptConfig(promptType)
  if (query.error instanceof ApiError && query.error.status === 404) return <Missing promptType={promptType} />
  if (query.data === undefined) {
    return query.isError
      ? <Failure error={query.error} onRetry={() => { void query.refetch() }} />
      : <Loading what={promptType} />
  }
  const config = query.data
  return (
    <Page title={promptType} actions={<RangePicker />}>
      <Outdated query={query} />
      <Blocked config={config} />
      <Configuration key={promptType} config={config} refresh={async () => (await query.refetch()).data} />
      <Statistics config={config} />
      <Charts promptType={promptType} range={range} />
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing='md'>
        <Breakdown promptType={promptType} range={range} groupBy='model' title='By model' />
        <Breakdown promptType={promptType} range={range} groupBy='user' title='By user' />
      </SimpleGrid>
      <LatestCall config={config} />
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing='md'>
        <TypeBudgets promptType={promptType} />
        <WhatIf promptType={promptType} range={range} />
      </SimpleGrid>
      <LatestRows promptType={promptType} />
    </Page>
  )
}

/** What a URL's part says; one that no console made says itself. */
function decoded (part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function Missing ({ promptType }: { promptType: string }) {
  return (
    <Page title={promptType}>
      <Empty title='There is no such prompt type'>
        <Text size='sm' c='dimmed'>It was deleted, or no call has named it yet.</Text>
        <Link href='/prompt-types'>All prompt types</Link>
      </Empty>
    </Page>
  )
}

function Statistics ({ config }: { config: PromptConfig }) {
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing='sm'>
      <Stat name='Cost, all time' value={<Spent config={config} />} />
      <Stat name='Per call' value={<Money usd={perCall(config)} />} />
      <Stat name='Calls' value={count(config.total_calls)} />
      <Stat name='Failed' value={count(config.failed_calls)} />
      <Stat name='Blocked' value={count(config.blocked_calls)} />
      <Stat
        name='Tokens in / out' value={`${count(config.total_input_tokens)} / ${count(config.total_output_tokens)}`}
      />
    </SimpleGrid>
  )
}

function Charts ({ promptType, range }: { promptType: string, range: Range }) {
  const query = useCosts(range, { promptType, interval: 'range' })
  return (
    <Loaded query={query} what='costs over time'>
      {({ items }) => {
        const cost = costSeries(items, range)
        const latency = toSeries(items, range, item => item.avg_duration_ms)
        return (
          <SimpleGrid cols={{ base: 1, lg: 2 }} spacing='md'>
            <CostChart title='Cost' times={cost.times} interval={range.interval} series={cost.series} stacked />
            <CostChart
              title='Average duration' times={latency.times} interval={range.interval} series={latency.series}
              format={duration}
            />
          </SimpleGrid>
        )
      }}
    </Loaded>
  )
}

function Breakdown ({ promptType, range, groupBy, title }: {
  promptType: string, range: Range, groupBy: CostGroup, title: string
}) {
  const query = useCosts(range, { promptType, groupBy, limit: 10 })
  return (
    <Paper withBorder p='sm'>
      <Title order={2} mb='xs'>{title}</Title>
      <Loaded query={query} what={title}>
        {({ items }) =>
          items.length === 0
            ? <Text size='sm' c='dimmed'>No calls in this range.</Text>
            : <BreakdownTable label={title} of={groupBy === 'model' ? 'Model' : 'User'} items={items} />}
      </Loaded>
    </Paper>
  )
}

function BreakdownTable ({ label, of, items }: { label: string, of: string, items: readonly CostItem[] }) {
  return (
    <ScrollRegion label={label}>
      <Table fz='sm' verticalSpacing={4} horizontalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{of}</Table.Th>
            <Table.Th className='number'>Calls</Table.Th>
            <Table.Th className='number'>Cost</Table.Th>
            <Table.Th className='number'>Per call</Table.Th>
            <Table.Th className='number'>Took</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map(item => (
            <Table.Tr key={item.group}>
              <Table.Td className='name' title={item.group ?? ''}>{item.group === '' ? '(none)' : item.group}</Table.Td>
              <Table.Td className='number'>{count(item.calls)}</Table.Td>
              <Table.Td className='number'>
                <Spent config={{ total_cost: item.cost, unpriced_calls: item.unpriced_calls }} />
              </Table.Td>
              <Table.Td className='number'><Money usd={perCall({ ...item, total_cost: item.cost })} /></Table.Td>
              <Table.Td className='number'>{duration(item.avg_duration_ms)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollRegion>
  )
}

function LatestCall ({ config }: { config: PromptConfig }) {
  if (config.last_called_at === null) return null
  const orDash = (value: number | null): string => value === null ? '–' : count(value)
  return (
    <Accordion variant='contained' order={2}>
      <Accordion.Item value='latest'>
        <Accordion.Control>
          <Group gap='xs'>
            <Text fw={600}>Latest call</Text>
            <Time at={config.last_called_at} />
            {config.last_error !== null && <Badge size='sm' color='red' variant='light'>failed</Badge>}
          </Group>
        </Accordion.Control>
        <Accordion.Panel>
          <Stack gap='md'>
            {config.last_error !== null && (
              <Alert color='red' variant='light' title='It failed'>{config.last_error}</Alert>
            )}
            <SimpleGrid cols={{ base: 2, sm: 4 }} spacing='sm' verticalSpacing='xs'>
              <Fact name='Model'>{config.last_model}</Fact>
              <Fact name='Cost'><Money usd={config.last_cost} /></Fact>
              <Fact name='Tokens in / out'>
                {orDash(config.last_input_tokens)} / {orDash(config.last_output_tokens)}
              </Fact>
              <Fact name='Took'>{duration(config.last_duration_ms)}</Fact>
              <Fact name='Status'>{config.last_status_code}</Fact>
              <Fact name='User'>{config.last_user}</Fact>
              <Fact name='Metadata'>{config.last_metadata === null ? null : JSON.stringify(config.last_metadata)}</Fact>
            </SimpleGrid>
            <Conversation prompt={config.last_prompt} response={config.last_response} />
          </Stack>
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  )
}

function TypeBudgets ({ promptType }: { promptType: string }) {
  const query = useQuery({
    queryKey: ['budgets', 'all'],
    queryFn: async () => await bodyOf<ListPage<Budget>>(
      api.GET('/admin/api/budgets', { params: { query: { limit: 500 } } })
    )
  })
  return (
    <Paper withBorder p='sm'>
      <Title order={2} mb='xs'>Budget</Title>
      <Loaded query={query} what='budgets'>
        {({ items }) => {
          const own = items.filter(budget => budget.prompt_type === promptType || budget.prompt_type === null)
          if (own.length === 0) return <Text size='sm' c='dimmed'>It has no budget. <Link href={`/budgets?new=${encodeURIComponent(promptType)}`}>Set a budget</Link></Text>
          return (
            <Stack gap='sm'>{own.map(budget =>
              <Stack key={budget.id} gap={2}>
                <Text size='sm' fw={600} style={{ overflowWrap: 'anywhere' }}>
                  {budget.name}
                  {budget.prompt_type === null && ' (all traffic)'}
                </Text>
                <BudgetBar budget={budget} promptType={promptType} />
              </Stack>)}
            </Stack>
          )
        }}
      </Loaded>
    </Paper>
  )
}

function LatestRows ({ promptType }: { promptType: string }) {
  const list = useUsageLogs({ prompt_type: promptType }, { limit: 10 })
  const all = `/usage-log?prompt_type=${encodeURIComponent(promptType)}`
  return (
    <Paper withBorder p='sm'>
      <Group justify='space-between' mb='xs'>
        <Title order={2}>Latest calls</Title>
        <Link href={all}>All of them</Link>
      </Group>
      <Outdated query={list} />
      {list.data === undefined &&
        (list.isError
          ? <Failure error={list.error} onRetry={() => { void list.refetch() }} />
          : <Loading what='latest calls' />)}
      {list.data !== undefined && <RowsTable rows={list.data.pages[0]?.items ?? []} all={all} />}
    </Paper>
  )
}

function RowsTable ({ rows, all }: { rows: readonly UsageLogSummary[], all: string }) {
  if (rows.length === 0) return <Text size='sm' c='dimmed'>No calls are logged.</Text>
  return (
    <ScrollRegion label='Latest calls'>
      <Table fz='sm' verticalSpacing={4} horizontalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Finished (UTC)</Table.Th>
            <Table.Th visibleFrom='sm'>Model</Table.Th>
            <Table.Th visibleFrom='sm'>User</Table.Th>
            <Table.Th>Status</Table.Th>
            <Table.Th className='number'>Cost</Table.Th>
            <Table.Th className='number'>Took</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(row => (
            <Table.Tr key={row.id}>
              <Table.Td style={{ whiteSpace: 'nowrap' }}>
                <Link href={`${all}&call=${row.id}`}><Time at={row.created_at} isBare /></Link>
              </Table.Td>
              <Table.Td className='name' visibleFrom='sm'>{row.response_model ?? row.request_model ?? '–'}</Table.Td>
              <Table.Td className='name' visibleFrom='sm'>{row.user ?? '–'}</Table.Td>
              <Table.Td><CallStatus call={row} /></Table.Td>
              <Table.Td className='number'><CallCost call={row} /></Table.Td>
              <Table.Td className='number'>{duration(row.duration_ms)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollRegion>
  )
}
