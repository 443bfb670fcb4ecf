import { Button, Drawer, NativeSelect, Switch, Text } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useCallback, useMemo } from 'react'
import { Breakable } from '../components/breakable.js'
import { CallDetails } from '../components/call-details.js'
import { CallCost, CallStatus } from '../components/call-values.js'
import { type Column, DataTable } from '../components/data-table.js'
import { FilterBar } from '../components/filter-bar.js'
import { FilterText } from '../components/filter-text.js'
import { FirstCall } from '../components/first-call.js'
import { Page } from '../components/page.js'
import { Failure, Loaded, Loading, Outdated } from '../components/states.js'
import { UtcFilter } from '../components/utc-input.js'
import { Time } from '../components/values.js'
import { count, duration, several } from '../format.js'
import { useUrlValues } from '../url-state.js'
import { type UsageLogQuery, type UsageLogSummary, useUsageLog, useUsageLogs } from '../usage-logs.js'
import { instantOf, instantsIn, linkText } from '../utc.js'

const TEXTS = {
  prompt_type: 'Prompt type', model: 'Model', user: 'User', key_id: 'Key id', upstream_request_id: 'Upstream request id'
} as const
const DATES = { from: 'From', to: 'Before' } as const
const FILTERS = [...Object.keys(TEXTS), ...Object.keys(DATES), 'success', 'unpriced', 'status_code']

function useLogQuery (): [UsageLogQuery, URLSearchParams, (changes: Record<string, string | null>) => void] {
  const [params, change] = useUrlValues()
  const text = params.toString()
  const query = useMemo(() => {
    const params = new URLSearchParams(text)
    const query: Record<string, unknown> = {}
    for (const name of Object.keys(TEXTS)) if (params.has(name)) query[name] = params.get(name)
    Object.assign(query, instantsIn(params, Object.keys(DATES)))
    for (const name of ['success', 'unpriced']) if (params.has(name)) query[name] = params.get(name) === 'true'
    // Half of a number is not asked for.
    if (/^\d{3}$/.test(params.get('status_code') ?? '')) query.status_code = Number(params.get('status_code'))
    return query
  }, [text])
  return [query, params, change]
}

/** Every logged call, newest first. */
export default function UsageLogPage () {
  const [query, params, change] = useLogQuery()
  const tail = params.get('tail') === 'true'
  const list = useUsageLogs(query, { tail })
  const rows = useMemo(() => list.data?.pages.flatMap(page => page.items) ?? [], [list.data])
  const { fetchNextPage } = list
  const onMore = useCallback(() => { void fetchNextPage() }, [fetchNextPage])
  const onOpen = useCallback((row: UsageLogSummary) => { change({ call: row.id }) }, [change])
  const total = list.data?.pages[0]?.total ?? 0
  const isFiltered = Object.keys(query).length > 0
  return (
    <Page title='Usage log' actions={<Actions query={query} tail={tail} onChange={change} />}>
      <Filters params={params} onChange={change} />
      {list.data === undefined &&
        (list.isError
          ? <Failure error={list.error} onRetry={() => { void list.refetch() }} />
          : <Loading what='the usage log' />)}
      {list.data !== undefined && rows.length === 0 &&
        (isFiltered
          ? <Text c='dimmed'>No call matches these filters.</Text>
          : (
            <FirstCall
              title='No call is in the log yet' note='Calls of prompt types that are not logged are not listed.'
            />
            ))}
      <Outdated query={list} />
      {rows.length > 0 && (
        <>
          <DataTable
            label='Usage log' columns={columns} rows={rows} keyOf={row => row.id} total={total}
            hasMore={!tail && list.hasNextPage &&
              !list.isFetchNextPageError} onMore={onMore} isStale={list.isPlaceholderData} onOpen={onOpen}
          />
          <Text size='xs' c='dimmed' role='status'>
            {total >= 100_000 ? 'more than 100,000 calls' : several(total, 'call')}
            {isFiltered ? (total === 1 ? ' matches' : ' match') : ''}
          </Text>
        </>
      )}
      <OpenCall id={params.get('call')} onClose={() => { change({ call: null }) }} />
    </Page>
  )
}

const modelOf = (row: UsageLogSummary): string => row.response_model ?? row.request_model ?? '–'

const columns: ReadonlyArray<Column<UsageLogSummary>> = [
  {
    key: 'created_at',
    header: 'Finished (UTC)',
    width: 150,
    isWideOnly: true,
    render: row => <Time at={row.created_at} isBare />
  },
  {
    key: 'prompt_type',
    header: 'Prompt type',
    render: row => <Breakable text={row.prompt_type} isCut />,
    note: row => <><Time at={row.created_at} /> · {modelOf(row)}</>
  },
  { key: 'model', header: 'Model', isWideOnly: true, render: modelOf },
  { key: 'user', header: 'User', isWideOnly: true, render: row => row.user ?? '–' },
  {
    key: 'status',
    header: 'Status',
    isWideOnly: true,
    render: row => <CallStatus call={row} />
  },
  {
    key: 'input',
    header: 'In',
    isNumber: true,
    isWideOnly: true,
    isRoomyOnly: true,
    render: row => row.input_tokens === null ? '–' : count(row.input_tokens)
  },
  {
    key: 'output',
    header: 'Out',
    isNumber: true,
    isWideOnly: true,
    isRoomyOnly: true,
    render: row => row.output_tokens === null ? '–' : count(row.output_tokens)
  },
  {
    key: 'cost',
    header: 'Cost',
    isNumber: true,
    render: row => <CallCost call={row} />,
    note: row => <CallStatus call={row} />
  },
  { key: 'duration', header: 'Took', isNumber: true, isWideOnly: true, render: row => duration(row.duration_ms) },
  { key: 'open', header: 'Actions', isHeaderHidden: true, width: 64, render: row => <OpenButton row={row} /> }
]

/** Opens a row by keyboard, where the mouse may click anywhere in it. */
function OpenButton ({ row }: { row: UsageLogSummary }) {
  const [, change] = useUrlValues()
  return (
    <Button
      size='compact-xs' variant='subtle' aria-label={`Open the call of ${row.prompt_type} at ${row.created_at}`} onClick={() => {
        change({ call: row.id })
      }}
    >Open
    </Button>
  )
}

function OpenCall ({ id, onClose }: { id: string | null, onClose: () => void }) {
  const query = useUsageLog(id)
  return (
    <Drawer
      opened={id !== null} onClose={onClose} position='right' size='xl' title='Call'
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {id !== null && <Loaded query={query} what='the call'>{call => <CallDetails call={call} />}</Loaded>}
    </Drawer>
  )
}

function Actions ({ query, tail, onChange }: {
  query: UsageLogQuery, tail: boolean, onChange: (changes: Record<string, string | null>) => void
}) {
  const href = (format: string): string =>
    `/admin/api/usage-logs/export?${new URLSearchParams({ format, ...Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)])) }).toString()}`
  return (
    <>
      <Switch
        size='xs' label='Live' checked={tail}
        onChange={event => { onChange({ tail: event.currentTarget.checked ? 'true' : null }) }}
      />
      <Button size='xs' variant='default' component='a' href={href('csv')} leftSection={<IconDownload size={14} />}>
        CSV
      </Button>
      <Button size='xs' variant='default' component='a' href={href('ndjson')} leftSection={<IconDownload size={14} />}>
        NDJSON
      </Button>
    </>
  )
}

function Filters ({ params, onChange }: {
  params: URLSearchParams, onChange: (changes: Record<string, string | null>) => void
}) {
  const active = FILTERS.filter(name => params.has(name))
  const select = (name: string, label: string, yes: string, no: string) => (
    <NativeSelect
      size='xs' aria-label={label} value={params.get(name) ?? ''} onChange={event => {
        onChange({ [name]: event.currentTarget.value })
      }}
      data={[{ value: '', label: `${label}: any` }, { value: 'true', label: yes }, { value: 'false', label: no }]}
    />
  )
  return (
    <FilterBar
      active={active.length} onClear={() => { onChange(Object.fromEntries(active.map(name => [name, null]))) }}
    >
      {Object.entries(TEXTS).map(([name, label]) => (
        <FilterText
          key={name} w={150} aria-label={label} placeholder={label} value={params.get(name) ?? ''}
          onChange={value => { onChange({ [name]: value }) }}
        />
      ))}
      <FilterText
        w={90} aria-label='Status code' placeholder='Status' inputMode='numeric' maxLength={3}
        value={params.get('status_code') ?? ''} onChange={value => { onChange({ status_code: value }) }}
      />
      {select('success', 'Success', 'Succeeded', 'Failed')}
      {select('unpriced', 'Unpriced', 'Unpriced only', 'Priced only')}
      {Object.entries(DATES).map(([name, label]) => (
        <UtcFilter
          key={name} label={label} value={instantOf(params.get(name) ?? '')}
          onChange={value => { onChange({ [name]: linkText(value) }) }}
        />
      ))}
    </FilterBar>
  )
}
