import { Badge, Button, Group, NativeSelect, Switch, Text } from '@mantine/core'
import { IconDownload, IconSearch } from '@tabler/icons-react'
import { useCallback, useMemo, useState } from 'react'
import { Link } from 'wouter'
import { Breakable } from '../components/breakable.js'
import { BulkSwitches } from '../components/bulk-switches.js'
import { CostSparkline, type DailyCosts, useDailyCosts } from '../components/cost-sparkline.js'
import { type Column, DataTable } from '../components/data-table.js'
import { FilterBar } from '../components/filter-bar.js'
import { FilterText } from '../components/filter-text.js'
import { FirstCall } from '../components/first-call.js'
import { Page } from '../components/page.js'
import { Spent, perCall } from '../components/spent.js'
import { Failure, Loading, Outdated } from '../components/states.js'
import { UtcFilter } from '../components/utc-input.js'
import { Money, Time } from '../components/values.js'
import { count, several } from '../format.js'
import { type PromptConfigQuery, type PromptConfigSummary, usePromptConfigs, useSwitch } from '../prompt-configs.js'
import { useUrlValues } from '../url-state.js'
import { instantsIn, linkText } from '../utc.js'

const DEFAULT_SORT = '-total_cost'
const TOGGLES = ['track_full_data', 'is_active', 'blocked'] as const
/** On a phone, where most columns have no header to click. */
const ORDERS = [
  { value: '-total_cost', label: 'Highest cost first' }, { value: '-total_calls', label: 'Most calls first' }, {
    value: '-avg_cost_per_call', label: 'Highest cost per call first'
  },
  { value: '-last_called_at', label: 'Last called first' }, { value: 'prompt_type', label: 'By name' }
]
const DATES = ['created_after', 'created_before'] as const

/** The list's filters and order, as the URL has them. */
function useListQuery (): [PromptConfigQuery, (changes: Record<string, string | null>) => void] {
  const [params, change] = useUrlValues()
  const text = params.toString()
  const query = useMemo(() => {
    const params = new URLSearchParams(text)
    const query: Record<string, unknown> = { sort: params.get('sort') ?? DEFAULT_SORT }
    if (params.has('search')) query.search = params.get('search')
    for (const name of TOGGLES) if (params.has(name)) query[name] = params.get(name) === 'true'
    return { ...query, ...instantsIn(params, DATES) }
  }, [text])
  return [query, change]
}

/** Every prompt type: what it costs, and its switches. */
export default function PromptTypes () {
  const [query, change] = useListQuery()
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const list = usePromptConfigs(query)
  const costs = useDailyCosts(
    list.isPlaceholderData ? null : query, (list.data?.pageParams ?? []) as Array<string | null>
  )
  const columns = useColumns(costs)
  const { fetchNextPage } = list
  const rows = useMemo(() => list.data?.pages.flatMap(page => page.items) ?? [], [list.data])
  const total = list.data?.pages[0]?.total ?? 0
  const isFiltered = Object.keys(query).length > 1
  const onMore = useCallback(() => { void fetchNextPage() }, [fetchNextPage])
  return (
    <Page title='Prompt types' actions={<ExportButtons query={query} />}>
      <Filters query={query} onChange={change} />
      {selected.size > 0 && (
        <BulkSwitches selected={selected} total={total} query={query} onDone={() => { setSelected(new Set()) }} />
      )}
      <Outdated query={list} />
      {list.data === undefined &&
        (list.isError
          ? <Failure error={list.error} onRetry={() => { void list.refetch() }} />
          : <Loading what='prompt types' />)}
      {list.data !== undefined && rows.length === 0 &&
        (isFiltered ? <Text c='dimmed'>No prompt type matches these filters.</Text> : <FirstCall />)}
      {rows.length > 0 && (
        <>
          <DataTable
            label='Prompt types' columns={columns} rows={rows} keyOf={row => row.prompt_type} total={total}
            sort={query.sort ?? DEFAULT_SORT} onSort={sort => { change({ sort }) }}
            selection={{ selected, onSelect: setSelected }} hasMore={list.hasNextPage &&
              !list.isFetchNextPageError} onMore={onMore} isStale={list.isPlaceholderData}
          />
          <Text size='xs' c='dimmed' role='status'>
            {several(total, 'prompt type')}
            {isFiltered ? (total === 1 ? ' matches' : ' match') : ''}
          </Text>
        </>
      )}
    </Page>
  )
}

function useColumns (costs: DailyCosts): ReadonlyArray<Column<PromptConfigSummary>> {
  const { mutate } = useSwitch()
  return useMemo(() => {
    const toggle = (
      name: 'track_full_data' | 'is_active', header: string, shortHeader: string
    ): Column<PromptConfigSummary> => ({
      key: name,
      header,
      shortHeader,
      sort: name,
      render: row => (
        <Switch
          size='xs' checked={row[name]} aria-label={`${header} of ${row.prompt_type}`}
          onChange={event => { mutate({ promptType: row.prompt_type, set: { [name]: event.currentTarget.checked } }) }}
        />
      )
    })
    return [
      {
        key: 'prompt_type',
        header: 'Prompt type',
        sort: 'prompt_type',
        render: row => (
          <Group gap={6} wrap='nowrap'>
            <Link href={`/prompt-types/${encodeURIComponent(row.prompt_type)}`} className='cut' title={row.prompt_type}>
              <Breakable text={row.prompt_type} isCut='compact' />
            </Link>
            {row.blocked !== null && <Badge size='xs' color='red' style={{ flexShrink: 0 }}>blocked</Badge>}
            <Text
              span size='xs' c='dimmed' truncate visibleFrom='sm' title={row.description} style={{ flexShrink: 1e6 }}
            >
              {row.description}
            </Text>
          </Group>
        ),
        note: row => <>{several(row.total_calls, 'call')} · <Spent config={row} /></>
      },
      toggle('track_full_data', 'Full data', 'Full'),
      toggle('is_active', 'Logged', 'Log'),
      {
        key: 'total_calls',
        header: 'Calls',
        sort: 'total_calls',
        isNumber: true,
        isWideOnly: true,
        render: row => count(row.total_calls)
      },
      {
        key: 'total_cost',
        header: 'Cost',
        sort: 'total_cost',
        isNumber: true,
        isWideOnly: true,
        render: row => <Spent config={row} />
      },
      {
        key: 'avg_cost',
        header: 'Per call',
        sort: 'avg_cost_per_call',
        isNumber: true,
        isWideOnly: true,
        render: row => <Money usd={perCall(row)} />
      },
      {
        key: 'spark',
        header: '14 days',
        width: 110,
        isWideOnly: true,
        render: row => <CostSparkline promptType={row.prompt_type} costs={costs.get(row.prompt_type)} />
      },
      {
        key: 'last_called_at',
        header: 'Last call (UTC)',
        sort: 'last_called_at',
        isNumber: true,
        isWideOnly: true,
        render: row => <Time at={row.last_called_at} isBare />
      }
    ]
  }, [mutate, costs])
}

function Filters ({ query, onChange }: {
  query: PromptConfigQuery, onChange: (changes: Record<string, string | null>) => void
}) {
  const { sort: _sort, ...filters } = query
  const toggle = (name: typeof TOGGLES[number], label: string, yes: string, no: string) => (
    <NativeSelect
      size='xs' aria-label={label} value={String(query[name] ?? '')} onChange={event => {
        onChange({ [name]: event.currentTarget.value })
      }}
      data={[{ value: '', label: `${label}: any` }, { value: 'true', label: yes }, { value: 'false', label: no }]}
    />
  )
  const date = (name: typeof DATES[number], label: string) => (
    <UtcFilter
      label={label} value={query[name] ?? null} onChange={value => { onChange({ [name]: linkText(value) }) }}
    />
  )
  // A header, or a link from a wide screen, may ask for one that is not in the list.
  const orders = ORDERS.some(({ value }) => value === (query.sort ?? DEFAULT_SORT))
    ? ORDERS
    : [{ value: query.sort ?? '', label: 'By another column' }, ...ORDERS]
  return (
    <FilterBar
      active={Object.keys(filters).length}
      onClear={() => { onChange(Object.fromEntries(Object.keys(filters).map(name => [name, null]))) }}
    >
      <FilterText
        type='search' aria-label='Search name and description' placeholder='Search name and description' leftSection={<IconSearch size={14} />}
        value={query.search ?? ''} onChange={search => { onChange({ search }) }} w={240}
      />
      <NativeSelect
        size='xs' hiddenFrom='sm' aria-label='Order' value={query.sort ?? DEFAULT_SORT} data={orders}
        onChange={event => { onChange({ sort: event.currentTarget.value }) }}
      />
      {toggle('track_full_data', 'Full data', 'Full data stored', 'Full data not stored')}
      {toggle('is_active', 'Logged', 'Calls logged', 'Calls not logged')}
      {toggle('blocked', 'Blocked', 'Blocked by a budget', 'Not blocked')}
      {date('created_after', 'Created since')}
      {date('created_before', 'Created before')}
    </FilterBar>
  )
}

function ExportButtons ({ query }: { query: PromptConfigQuery }) {
  const { sort: _sort, ...filter } = query
  const href = (format: string): string =>
    `/admin/api/prompt-configs/export?${new URLSearchParams({ format, ...Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, String(value)])) }).toString()}`
  return (
    <>
      <Button size='xs' variant='default' component='a' href={href('csv')} leftSection={<IconDownload size={14} />}>
        CSV
      </Button>
      <Button size='xs' variant='default' component='a' href={href('json')} leftSection={<IconDownload size={14} />}>
        JSON
      </Button>
    </>
  )
}
