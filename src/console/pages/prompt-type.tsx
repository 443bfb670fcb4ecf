import { Accordion, Alert, Badge, Button, Group, Paper, SimpleGrid, Stack, Switch, Table, Text, Textarea, Title } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useLocation, useParams } from 'wouter'
import { ApiError, api, bodyOf } from '../api/client.js'
import { BudgetBar, type Budget } from '../components/budget-bar.js'
import { Fact } from '../components/call-details.js'
import { Confirm } from '../components/confirm.js'
import { Conversation } from '../components/conversation.js'
import { CostChart } from '../components/cost-chart.js'
import { Page } from '../components/page.js'
import { RangePicker, useRange } from '../components/range-picker.js'
import { Stat } from '../components/stat.js'
import { Empty, Failure, Loaded, Loading } from '../components/states.js'
import { Money, Time } from '../components/values.js'
import { WhatIf } from '../components/what-if.js'
import { type CostGroup, toSeries, useCosts } from '../costs.js'
import { count, duration } from '../format.js'
import type { ListPage } from '../lists.js'
import { done, failed } from '../notify.js'
import { type PromptConfig, useSwitch } from '../prompt-configs.js'
import type { Range } from '../range.js'
import { useUsageLogs } from '../usage-logs.js'

/** One prompt type: its switches, what it costs, what it last said. */
export default function PromptTypePage () {
  const { promptType: encoded = '' } = useParams()
  const promptType = decodeURIComponent(encoded)
  const range = useRange()
  const query = useQuery({
    queryKey: ['prompt-config', promptType],
    refetchInterval: 15_000,
    queryFn: async (): Promise<PromptConfig> => await bodyOf(api.GET('/admin/api/prompt-configs/{prompt_type}', { params: { path: { prompt_type: promptType } } }))
  })
  if (query.error instanceof ApiError && query.error.status === 404) return <Empty title={`There is no prompt type ${promptType}`}><Text size='sm'>{query.error.message}</Text><Link href='/prompt-types'>All prompt types</Link></Empty>
  if (query.data === undefined) return query.isError ? <Failure error={query.error} onRetry={() => { void query.refetch() }} /> : <Loading what={promptType} />
  const config = query.data
  return (
    <Page title={promptType} actions={<RangePicker />}>
      <Blocked config={config} />
      <Configuration key={config.description} config={config} />
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

function Blocked ({ config }: { config: PromptConfig }) {
  const client = useQueryClient()
  const { mutate, isPending } = useMutation({
    mutationFn: async () => await bodyOf(api.POST('/admin/api/prompt-configs/{prompt_type}/unblock', { params: { path: { prompt_type: config.prompt_type } } })),
    onSuccess: async changed => {
      client.setQueryData(['prompt-config', config.prompt_type], changed)
      done(`${config.prompt_type} is let through again`)
      await client.invalidateQueries({ queryKey: ['prompt-configs'] })
    },
    onError: error => { failed('It is still blocked', error) }
  })
  if (config.blocked === null) return null
  const { since, until } = config.blocked
  return (
    <Alert color='red' title='Blocked by a budget' role='alert'>
      <Group justify='space-between'>
        <Text size='sm'>Its calls are refused since <Time at={since} />{until === null ? '; this budget has no period that ends.' : <>, until <Time at={until} />.</>}</Text>
        <Button size='xs' color='red' variant='light' loading={isPending} onClick={() => { mutate() }}>Unblock until the next period</Button>
      </Group>
    </Alert>
  )
}

function Configuration ({ config }: { config: PromptConfig }) {
  const [description, setDescription] = useState(config.description)
  const [deleting, setDeleting] = useState(false)
  const [, navigate] = useLocation()
  const client = useQueryClient()
  const { mutate, isPending } = useSwitch()
  const remove = useMutation({
    mutationFn: async () => { await api.DELETE('/admin/api/prompt-configs/{prompt_type}', { params: { path: { prompt_type: config.prompt_type } } }) },
    onSuccess: async () => {
      done(`${config.prompt_type} was deleted`)
      navigate('/prompt-types')
      await client.invalidateQueries({ queryKey: ['prompt-configs'] })
    },
    onError: error => { failed('It was not deleted', error) }
  })
  const set = (changes: Partial<Pick<PromptConfig, 'track_full_data' | 'is_active' | 'description'>>): void => { mutate({ promptType: config.prompt_type, set: changes }) }
  return (
    <Paper withBorder p='sm'>
      <Group align='flex-start' gap='lg'>
        <Stack gap='xs' style={{ flex: '1 1 20rem' }}>
          <Textarea label='Description' autosize minRows={1} maxRows={4} maxLength={1000} value={description} onChange={event => { setDescription(event.currentTarget.value) }} />
          {description !== config.description && <Group gap='xs'><Button size='compact-xs' loading={isPending} onClick={() => { set({ description }) }}>Save</Button><Button size='compact-xs' variant='default' onClick={() => { setDescription(config.description) }}>Reset</Button></Group>}
        </Stack>
        <Switch label='Full data' description='Prompt and response go into the usage log' checked={config.track_full_data} onChange={event => { set({ track_full_data: event.currentTarget.checked }) }} />
        <Switch label='Logged' description='Calls get a row in the usage log' checked={config.is_active} onChange={event => { set({ is_active: event.currentTarget.checked }) }} />
        <Stack gap={4}>
          <Text size='xs' c='dimmed'>Made <Time at={config.created_at} />, changed <Time at={config.updated_at} /></Text>
          <Button size='compact-xs' variant='default' color='red' onClick={() => { setDeleting(true) }}>Delete…</Button>
        </Stack>
      </Group>
      <Confirm opened={deleting} title={`Delete ${config.prompt_type}?`} action='Delete' pending={remove.isPending} onClose={() => { setDeleting(false) }} onConfirm={() => { remove.mutate() }}>
        Its switches and statistics go. Its usage log and costs stay; the next call of this type makes it anew.
      </Confirm>
    </Paper>
  )
}

function Statistics ({ config }: { config: PromptConfig }) {
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing='sm'>
      <Stat name='Cost, all time' value={<Money usd={config.total_cost} />} />
      <Stat name='Per call' value={<Money usd={config.avg_cost_per_call} />} />
      <Stat name='Calls' value={count(config.total_calls)} />
      <Stat name='Failed' value={count(config.failed_calls)} />
      <Stat name='Blocked' value={count(config.blocked_calls)} />
      <Stat name='Tokens in / out' value={`${count(config.total_input_tokens)} / ${count(config.total_output_tokens)}`} note={config.unpriced_calls > 0 && <Badge size='sm' color='orange' variant='light'>{count(config.unpriced_calls)} unpriced</Badge>} />
    </SimpleGrid>
  )
}

function Charts ({ promptType, range }: { promptType: string, range: Range }) {
  const query = useCosts(range, { promptType, interval: 'range' })
  return (
    <Loaded query={query} what='costs over time'>
      {({ items }) => {
        const cost = toSeries(items, item => item.cost)
        const latency = toSeries(items, item => item.avg_duration_ms ?? 0)
        return (
          <SimpleGrid cols={{ base: 1, lg: 2 }} spacing='md'>
            <CostChart title='Cost' times={cost.times} series={cost.series} stacked />
            <CostChart title='Average duration' times={latency.times} series={latency.series} format={duration} />
          </SimpleGrid>
        )
      }}
    </Loaded>
  )
}

function Breakdown ({ promptType, range, groupBy, title }: { promptType: string, range: Range, groupBy: CostGroup, title: string }) {
  const query = useCosts(range, { promptType, groupBy, limit: 10 })
  return (
    <Paper withBorder p='sm'>
      <Title order={2} mb='xs'>{title}</Title>
      <Loaded query={query} what={title}>
        {({ items }) => items.length === 0
          ? <Text size='sm' c='dimmed'>No calls in this range.</Text>
          : (
            <Table fz='sm' verticalSpacing={4}>
              <Table.Thead>
                <Table.Tr><Table.Th>{groupBy === 'model' ? 'Model' : 'User'}</Table.Th><Table.Th className='number'>Calls</Table.Th><Table.Th className='number'>Cost</Table.Th><Table.Th className='number'>Per call</Table.Th><Table.Th className='number'>Took</Table.Th></Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map(item => (
                  <Table.Tr key={item.group}>
                    <Table.Td className='name'>{item.group === '' ? '(none)' : item.group}</Table.Td>
                    <Table.Td className='number'>{count(item.calls)}</Table.Td>
                    <Table.Td className='number'><Money usd={item.cost} /></Table.Td>
                    <Table.Td className='number'><Money usd={item.avg_cost_per_call} /></Table.Td>
                    <Table.Td className='number'>{duration(item.avg_duration_ms)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            )}
      </Loaded>
    </Paper>
  )
}

function LatestCall ({ config }: { config: PromptConfig }) {
  if (config.last_called_at === null) return null
  const orDash = (value: number | null): string => value === null ? '–' : count(value)
  return (
    <Accordion variant='contained' order={2}>
      <Accordion.Item value='latest'>
        <Accordion.Control><Group gap='xs'><Text fw={600}>Latest call</Text><Time at={config.last_called_at} />{config.last_error !== null && <Badge size='sm' color='red' variant='light'>failed</Badge>}</Group></Accordion.Control>
        <Accordion.Panel>
          <Stack gap='md'>
            {config.last_error !== null && <Alert color='red' variant='light' title='It failed'>{config.last_error}</Alert>}
            <SimpleGrid cols={{ base: 2, sm: 4 }} spacing='sm' verticalSpacing='xs'>
              <Fact name='Model'>{config.last_model}</Fact>
              <Fact name='Cost'><Money usd={config.last_cost} /></Fact>
              <Fact name='Tokens in / out'>{orDash(config.last_input_tokens)} / {orDash(config.last_output_tokens)}</Fact>
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
    queryKey: ['budgets', 'all'], queryFn: async () => await bodyOf<ListPage<Budget>>(api.GET('/admin/api/budgets', { params: { query: { limit: 500 } } }))
  })
  return (
    <Paper withBorder p='sm'>
      <Title order={2} mb='xs'>Budget</Title>
      <Loaded query={query} what='budgets'>
        {({ items }) => {
          const own = items.filter(budget => budget.prompt_type === promptType || budget.prompt_type === null)
          if (own.length === 0) return <Text size='sm' c='dimmed'>It may spend what it likes. <Link href={`/budgets?new=${encodeURIComponent(promptType)}`}>Set a budget</Link></Text>
          return <Stack gap='sm'>{own.map(budget => <Stack key={budget.id} gap={2}><Text size='sm' fw={600}>{budget.name}{budget.prompt_type === null && ' (all traffic)'}</Text><BudgetBar budget={budget} /></Stack>)}</Stack>
        }}
      </Loaded>
    </Paper>
  )
}

function LatestRows ({ promptType }: { promptType: string }) {
  const list = useUsageLogs({ prompt_type: promptType }, { limit: 10 })
  const rows = list.data?.pages[0]?.items ?? []
  const all = `/usage-log?prompt_type=${encodeURIComponent(promptType)}`
  return (
    <Paper withBorder p='sm'>
      <Group justify='space-between' mb='xs'><Title order={2}>Latest calls</Title><Link href={all}>All of them</Link></Group>
      {rows.length === 0
        ? <Text size='sm' c='dimmed'>None is logged.</Text>
        : (
          <Table fz='sm' verticalSpacing={4}>
            <Table.Thead><Table.Tr><Table.Th>Finished</Table.Th><Table.Th>Model</Table.Th><Table.Th>User</Table.Th><Table.Th>Status</Table.Th><Table.Th className='number'>Cost</Table.Th><Table.Th className='number'>Took</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {rows.map(row => (
                <Table.Tr key={row.id}>
                  <Table.Td><Link href={`${all}&call=${row.id}`}><Time at={row.created_at} /></Link></Table.Td>
                  <Table.Td className='name'>{row.response_model ?? row.request_model ?? '–'}</Table.Td>
                  <Table.Td className='name'>{row.user ?? '–'}</Table.Td>
                  <Table.Td><Badge size='sm' variant='light' color={row.success ? 'teal' : 'red'}>{row.status_code}</Badge></Table.Td>
                  <Table.Td className='number'><Money usd={row.cost} /></Table.Td>
                  <Table.Td className='number'>{duration(row.duration_ms)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          )}
    </Paper>
  )
}
